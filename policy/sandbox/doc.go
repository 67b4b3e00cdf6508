// Package sandbox runs what authors of policies wrote in a process of its own: this program again, with limits on memory and time, killed when it
// passes them, and used once. Whatever a policy does there, the service goes on, and the author is told why it was ended.
//
// It is needed because the evaluator can't be interrupted within a built-in function and has no bound on memory. It is no jail for native code:
// policies have no way to a file or to the network in the first place.
package sandbox
