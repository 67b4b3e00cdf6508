package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/internal/config"
)

// A message that a user and a guest of the other region's application have, and its author deletes, is in the backup of both regions, and, as long as its key
// lives, in Kafka. Then all tables are lost. It doesn't come back by a restore; what was said before and after does.
func TestRule_R6_WhatIsDeletedDoesNotComeBackByABackup(t *testing.T) {
	t.Parallel()
	r, err := startRig(wideLimits("ANTEROOM_SWEEP_INTERVAL=1s", "ANTEROOM_SWEEP_GATHER=1s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.remove)
	h := newHouse(t, r, nil)
	m := h.meeting(nil)
	host := m.user(organizer)
	guest := m.admitted(host, h.application(fields{"region": "amer"}), "Greta")
	const kept, doomed, after = "said-before", "said-and-deleted", "said-afterwards"
	host.say(kept)
	message := host.say(doomed)
	guest.awaitChat(doomed)

	databases := []string{config.Default().ClickHouse.Database, config.EmbeddedDatabase("amer")}
	texts := func() string {
		var all []byte
		for _, database := range databases {
			all = append(all, queryIn(t, r.data, database, "SELECT class, text FROM texts FORMAT TSVRaw")...)
		}
		return string(all)
	}
	within(t, 3*rigPatience, "both regions have it", func() (bool, string) {
		got := texts()
		return strings.Count(got, doomed) == 2, got
	})
	if code, _, stderr := command("backup", "--data", r.data, "before"); code != 0 {
		t.Fatalf("backup: exit code %d\n%s", code, stderr)
	}
	host.do(host.ChatDelete(host.soon(), message.MessageID))
	host.say(after)
	gone := func() (string, string) {
		var ids, count []byte
		for _, database := range databases {
			ids = append(ids, queryIn(t, r.data, database, "SELECT hex(copy_id), hex(nonce), batch_id, why FROM evidence ORDER BY copy_id FORMAT TSVRaw")...)
			count = append(count, queryIn(t, r.data, database, "SELECT count() FROM evidence WHERE why = 'retracted' FORMAT TSVRaw")...)
		}
		return string(ids), string(bytes.ReplaceAll(count, []byte("\n"), nil))
	}
	within(t, 5*rigPatience, "it is gone from both regions", func() (bool, string) {
		_, count := gone()
		got := texts()
		return !strings.Contains(got, doomed) && count == "11" && strings.Count(got, after) == 2, count + " " + got
	})
	within(t, 3*rigPatience, "its deletion is proven", func() (bool, string) {
		code, stdout, stderr := command("ledger", "fsck", "--data", r.data)
		return code == 0 && !strings.Contains(stdout, " 1 waiting"), stdout + stderr
	})
	before, _ := gone()
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d\n%s", code, r.stderr)
	}

	if err := os.RemoveAll(filepath.Join(r.data, "clickhouse")); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := command("restore", "--data", r.data, "before")
	if code != 0 || !strings.Contains(stdout, "amer: restored as of ") {
		t.Fatalf("restore: exit code %d\n%s%s", code, stdout, stderr)
	}
	t.Log(stdout)
	in := startRun(t, r.data, "--no-demo")
	in.awaitStatus("/readyz", 200)
	if got := texts(); strings.Contains(got, doomed) || !strings.Contains(got, kept) || !strings.Contains(got, after) {
		t.Errorf("texts after the restore:\n%s", got)
	}
	if got, _ := gone(); got != before {
		t.Errorf("evidence before and after:\n%s\n%s", before, got)
	}
	if code, stdout, _ := command("ledger", "fsck", "--data", r.data); code != 0 {
		t.Errorf("fsck: exit code %d\n%s", code, stdout)
	}
	in.stop()
}
