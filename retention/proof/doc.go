// Package proof has the forms that retention is proven in, and the arithmetic on them: rows of evidence as canonical JSON, their hashes, the
// Merkle tree over a batch of them (RFC 6962 section 2.1), and the leaves of a region's ledger. Whoever writes evidence and whoever checks it offline
// share this package and nothing else, so that an auditor can read all that a check rests on.
package proof
