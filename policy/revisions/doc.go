// Package revisions keeps organisations' own policies, and has every process decide by the one that is active.
//
// A policy is a content (files) that never changes, named by its digest. A revision is a content with a number, an author and a message; it is made
// of what passes author.Check. At most one revision of an organisation is active: activation compares and sets, so that of two at once one fails with
// store.ErrConflict, and it demands green tests, enough coverage and quick decisions. To roll back makes a new revision of an old content.
//
// What is written, in this order: the content, then the revision that names it, then the row that names the active revision, each whole or not at
// all. Whoever dies in between leaves rows that nothing names.
//
// A Follower activates in this process's policy.Engine what is active, half a second after another process said so and at once where this process did.
// From its start until it has read what is active nobody is let in anywhere; an organisation whose policy can't be loaded stays so. A policy
// that fails too often while it decides is given up for the last one that was active and never failed (the breaker), in all processes, until the next activation.
package revisions
