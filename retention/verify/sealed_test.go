package verify_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/anteroom/anteroom/retention/proof"
	"github.com/anteroom/anteroom/retention/verify"
)

// TestSealedBytesCount changes bytes as somebody who has the key would: sums and signature are made again. What the log knows can't be changed: each
// byte of rows that are gone, of what the batches have besides, of the log and of single proofs.
func TestSealedBytesCount(t *testing.T) {
	changes := 100
	if os.Getenv("CI") == "true" {
		changes = 600
	}
	for name, mode := range map[string]proof.ProofMode{"whole": proof.WholeProofs, "single": proof.SingleProofs} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 60)
			b := w.report(mode, 1, 4)
			b.manifest.CSV = nil // which would see the change by itself
			delete(b.files, proof.CSVFile)
			b.seal()
			dir := t.TempDir()
			wantOK(t, b.folder(dir), verify.Options{Key: w.key})
			var gone []int // where lines of rows that are gone begin and end
			at := 0
			for line := range bytes.Lines(b.files[proof.RowsFile]) {
				if bytes.Contains(line, []byte(`"deleted_batch":"`)) {
					gone = append(gone, at, at+len(line))
				}
				at += len(line)
			}
			names := []string{proof.RowsFile, proof.LogFile, proof.OtherStoredFile, proof.OtherDeletedFile, proof.CheckpointFile, proof.PreviousCheckpointFile}
			if mode == proof.SingleProofs {
				names = []string{proof.RowsFile, b.proofName(0), b.proofName(3)}
			}
			random := rand.New(rand.NewPCG(5, 7))
			for i := range changes {
				name := names[i%len(names)]
				content := b.files[name]
				at := random.IntN(len(content))
				if name == proof.RowsFile {
					of := 2 * random.IntN(len(gone)/2)
					at = gone[of] + random.IntN(gone[of+1]-gone[of])
				}
				spoilt := slices.Clone(content)
				spoilt[at] ^= byte(1 + random.IntN(255))
				b.files[name] = spoilt
				b.seal()
				if result := check(t, b.folder(dir), verify.Options{Key: w.key}); result.OK && !harmless(mode, name, content, spoilt) {
					t.Errorf("byte %d of %s: %q instead of %q was not seen", at, name, spoilt[at], content[at])
				}
				b.files[name] = content
			}
		})
	}
}

// harmless: a row's stored batch isn't looked at where proofs are single, base64 has bits that mean nothing at the end of a signature, and the id beside
// a hash serves the order only.
func harmless(mode proof.ProofMode, name string, before, after []byte) bool {
	switch name {
	case proof.OtherStoredFile, proof.OtherDeletedFile:
		at := firstDifference(before, after)
		begin := bytes.LastIndexByte(before[:at], '\n') + 1
		line, _, _ := bytes.Cut(before[begin:], []byte("\n"))
		return !bytes.Contains(line, []byte(`"thing":{`)) && at < begin+len(`{"copy_id":"`)+64
	case proof.CheckpointFile, proof.PreviousCheckpointFile:
		return len(bytes.TrimRight(before, "=\n"))-1 == firstDifference(before, after)
	case proof.RowsFile:
		if mode != proof.SingleProofs {
			return false
		}
		at := firstDifference(before, after)
		begin := bytes.LastIndex(before[:at], []byte(`"stored_batch":"`))
		return begin > bytes.LastIndexByte(before[:at], '\n') && at < begin+len(`"stored_batch":"`)+36
	}
	return false
}

func firstDifference(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
