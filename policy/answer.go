package policy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxReasons is how many reasons one answer may have; a policy with more is not understood, and denies.
const maxReasons = 256

// refusal is one rule's no.
type refusal struct {
	reason Reason
	// rule is the id of its metadata, "" when it gives none.
	rule string
	// grantable: the base rule gives way to an organisation's grant of a grantable capability.
	grantable bool
}

// own is what an organisation's policy says.
type own struct {
	deny, lobby []refusal
	withhold    map[Capability][]refusal
	grant       map[Capability]bool
}

// ground is what the base policy decided.
type ground struct {
	effect      Effect
	refusals    []refusal
	obligations []Obligation
}

func readGround(value ast.Value) (ground, error) {
	decision, ok := value.(ast.Object)
	if !ok {
		return ground{}, errUndefined
	}
	effect, _ := get(decision, "effect").(ast.String)
	g := ground{effect: Effect(effect)}
	if !slices.Contains([]Effect{Allow, Lobby, Deny}, g.effect) {
		return ground{}, fmt.Errorf("the base policy's effect is not allow, lobby or deny")
	}
	var err error
	if g.refusals, err = readRefusals(get(decision, "refusals")); err != nil {
		return ground{}, err
	}
	texts, err := readTexts(get(decision, "obligations"))
	for _, text := range texts {
		g.obligations = append(g.obligations, Obligation(text))
	}
	return g, err
}

// readOwn reads the organisation's rules; those that the query didn't ask for are absent and say nothing.
func readOwn(answer ast.Object) (own, error) {
	var o own
	if answer == nil {
		return o, nil
	}
	var err error
	if o.deny, err = readOptional(answer, entryDeny); err != nil {
		return own{}, err
	}
	if o.lobby, err = readOptional(answer, entryLobby); err != nil {
		return own{}, err
	}
	if value := get(answer, entryWithhold); value != nil {
		if o.withhold, err = readWithhold(value); err != nil {
			return own{}, err
		}
	}
	if value := get(answer, entryGrant); value != nil {
		texts, err := readTexts(value)
		if err != nil {
			return own{}, err
		}
		o.grant = make(map[Capability]bool, len(texts))
		for _, text := range texts {
			o.grant[Capability(text)] = true
		}
	}
	return o, nil
}

func readOptional(answer ast.Object, key string) ([]refusal, error) {
	value := get(answer, key)
	if value == nil {
		return nil, nil
	}
	return readRefusals(value)
}

func readWithhold(value ast.Value) (map[Capability][]refusal, error) {
	object, ok := value.(ast.Object)
	if !ok || object.Len() > maxReasons {
		return nil, fmt.Errorf("withhold is not an object of at most %d capabilities", maxReasons)
	}
	withhold := make(map[Capability][]refusal, object.Len())
	err := object.Iter(func(key, refusals *ast.Term) error {
		capability, ok := key.Value.(ast.String)
		if !ok {
			return fmt.Errorf("withhold has a key that is no text")
		}
		list, err := readRefusals(refusals.Value)
		withhold[Capability(capability)] = list
		return err
	})
	return withhold, err
}

func readRefusals(value ast.Value) ([]refusal, error) {
	set, ok := value.(ast.Set)
	if !ok || set.Len() > maxReasons {
		return nil, fmt.Errorf("the reasons are not a set of at most %d", maxReasons)
	}
	list := make([]refusal, 0, set.Len())
	err := set.Iter(func(term *ast.Term) error {
		r, err := readRefusal(term.Value)
		list = append(list, r)
		return err
	})
	return list, err
}

func readRefusal(value ast.Value) (refusal, error) {
	var r refusal
	switch v := value.(type) {
	case ast.String:
		r.reason = Reason(v)
	case ast.Object:
		reason, _ := get(v, "reason").(ast.String)
		rule, _ := get(v, "rule").(ast.String)
		grantable, _ := get(v, "grantable").(ast.Boolean)
		r = refusal{reason: Reason(reason), rule: string(rule), grantable: bool(grantable)}
	}
	if !validReason(string(r.reason)) || len(r.rule) > 64 {
		return refusal{}, fmt.Errorf("a reason is not 1 to 64 of a-z, 0-9 and '_', or its rule is longer than 64 characters")
	}
	return r, nil
}

func validReason(text string) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}

func readTexts(value ast.Value) ([]string, error) {
	set, ok := value.(ast.Set)
	if !ok || set.Len() > maxReasons {
		return nil, fmt.Errorf("obligations or grants are not a set of at most %d", maxReasons)
	}
	var texts []string
	err := set.Iter(func(term *ast.Term) error {
		text, ok := term.Value.(ast.String)
		if !ok {
			return fmt.Errorf("obligations or grants have an element that is no text")
		}
		texts = append(texts, string(text))
		return nil
	})
	return texts, err
}

// get is the value of an object's key, or nil.
func get(object ast.Object, key string) ast.Value {
	term := object.Get(ast.InternedTerm(key))
	if term == nil {
		return nil
	}
	return term.Value
}

// lifted is what is left of the base's refusals of a capability after the organisation's grant: nothing, if the operator lists the capability, the
// organisation grants it, and all that speaks against it are rules on roles; else all of it.
func lifted(capability Capability, refusals []refusal, grantable map[Capability]bool, grant map[Capability]bool) []refusal {
	if len(refusals) == 0 || !grantable[capability] || !grant[capability] {
		return refusals
	}
	for _, r := range refusals {
		if !r.grantable {
			return refusals
		}
	}
	return nil
}

// sortRefusals puts the most important first: by rank, then what has none (an organisation's own reasons) by name.
func (b *base) sortRefusals(list []refusal) {
	if len(list) < 2 {
		return
	}
	rank := func(r refusal) int {
		if n, ok := b.rank[r.reason]; ok {
			return n
		}
		return len(b.rank)
	}
	slices.SortFunc(list, func(x, y refusal) int {
		return cmp.Or(rank(x)-rank(y), cmp.Compare(x.reason, y.reason), cmp.Compare(x.rule, y.rule))
	})
}
