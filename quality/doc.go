// Package quality judges media streams and calls by published rules: it owns
// the thresholds, the verdicts with their reasons, the closed table of
// user-facing diagnostics, the survey rating and the estimated MOS.
//
// Everything here is a pure function of its arguments. Nothing reads a clock,
// a file or a package-level variable, so a verdict can be computed again from
// the stored measures and comes out the same. A *Profile is immutable once
// built and safe for use by any number of goroutines.
//
// What the package refuses: thresholds that can't be meant (zero, negative,
// not finite, a ratio above 1) and names that no profile knows, each by name.
// What it never does: guess. A metric that is not known, or is NaN, infinite
// or negative, takes no part in a verdict, and a stream about which nothing is
// known is unknown, not good.
//
// # Direction
//
// No rule asks for the direction of a stream. The reference query applies each
// threshold to each row in which the value is present, whichever way the stream
// runs, and so does [Judge]. Received height, freeze time, healed ratio and
// jitter-buffer delay can only be measured where a stream is received; whoever
// fills [Measures] leaves them unknown when only the sending side is known. In
// particular the height that a client sends (one simulcast layer, say) is not a
// received height.
//
// # Duplicates
//
// [JudgeCall] counts what it is given. Telling repeated records of one stream
// apart, by (participant, stream) with the newest kept, belongs to the caller.
package quality
