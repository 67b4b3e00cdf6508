// Package verify checks the bundle of a report: offline, with nothing but the bundle and a key that came by another way. What a bundle is, and what all
// of this rests on, is in docs/report-format.md; this package does what that page says, in its order, and is meant to be read beside it.
//
// It trusts nothing in the bundle. What it reads is bounded by what the manifest says and by fixed limits; no link is followed, no file is written, and
// memory grows with the number of batches, not with that of rows.
package verify
