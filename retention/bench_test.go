package retention_test

import (
	"testing"

	"github.com/anteroom/anteroom/directory"
)

// BenchmarkPass measures passes over 100,000 meetings of 5 users each, of which a thread and the copies of two resources' guests are kept.
func BenchmarkPass(b *testing.B) {
	h := newHouse(b)
	const meetings = 100_000
	const fill = `toUUID(concat('aaaaaaaa-0000-8000-8000-', leftPad(toString(number), 12, '0')))`
	exec := func(region, query string) {
		b.Helper()
		h.must(h.conns[region].Exec(b.Context(), query, meetings))
	}
	exec("emea", `INSERT INTO attendance (org, meeting_id, user_id, call_id, joined_at, inserted_at)
		SELECT 'contoso', `+fill+`, concat('user-', toString(cityHash64(number, seat) % 20000)), 'call', now64(6), now64(6) - INTERVAL 1 HOUR FROM numbers($1) ARRAY JOIN range(5) AS seat`)
	exec("emea", `INSERT INTO retained (class, org, meeting_id, call_id, item_id, sent_at, inserted_at)
		SELECT 'thread', 'contoso', `+fill+`, 'call', generateUUIDv4(), now64(6), now64(6) - INTERVAL 1 HOUR FROM numbers($1)`)
	exec("amer", `INSERT INTO retained (class, org, meeting_id, call_id, item_id, holder_id, resource_id, sent_at, inserted_at)
		SELECT 'copy', 'contoso', `+fill+`, 'call', generateUUIDv4(), generateUUIDv4(),
			toUUID(concat('22222222-0000-8000-8000-00000000000', toString(resource))), now64(6),
			now64(6) - INTERVAL 1 HOUR FROM numbers($1) ARRAY JOIN [1, 2] AS resource`)
	id := h.policy(group("legal"), del, 7)
	measure := func(name string, want int, change func(i int)) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				b.StopTimer()
				change(i)
				b.StartTimer()
				if n := h.pass(); n != want {
					b.Fatalf("%d decisions, want %d", n, want)
				}
			}
		})
	}
	b.Run("first", func(b *testing.B) {
		for range b.N {
			h.decider = h.newDecider(h.regions)
			h.pass()
		}
	})
	measure("idle", 0, func(int) {})
	days := 1000
	measure("policy of everybody", 3*meetings, func(int) {
		days++
		h.change(id, func(p *directory.RetentionPolicy) { p.Scope, p.Action.Days = everybody(), days })
	})
	measure("name of a policy", 3*meetings, func(int) { h.change(id, func(p *directory.RetentionPolicy) { p.Name += "x" }) })
	h.change(id, func(p *directory.RetentionPolicy) { p.Enabled = false })
	h.pass()
	measure("policy of nobody there", 0, func(int) { h.policy(group("legal"), del, 7) })
	measure("attributes of a user", 0, func(i int) {
		h.user(directory.User{ID: "user-7", Org: "contoso", Name: "x", Groups: []string{string(rune('a' + i%2))}})
	})
}
