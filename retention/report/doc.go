// Package report makes reports that an auditor can check without trusting whoever runs the service: jobs as control rows, and their bundles of files.
//
// A job is asked for once and has one part for each region that it is about, since a region's rows, ledger and keys are there and nowhere else. A part is
// made by one worker, which claims it by compare-and-set; a worker that died is noticed, and its part begun anew from nothing. Files are made
// where nobody sees them and appear whole, by a rename, or not at all; they go when they expire.
//
// The package reads what is stored and never changes it. Of what it reads it hands out the rows of the organisation that asked, and no others.
package report
