package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// shortenEntry is the one rule that is asked for of KeepPackage: shorten[class], a set of objects with days, rule and reason.
const shortenEntry = "shorten"

// ShortenClasses are the classes of things whose period an organisation's own rules may shorten. Those of others are the operator's.
func ShortenClasses() []string { return []string{"copy", "thread"} }

// ShortenPrefix is before the id of an organisation's own rule where RetentionDecision.Rule names it.
const ShortenPrefix = "organization:"

// maxRuleID is how long the id of an organisation's own rule on periods may be.
const maxRuleID = 64

// Shortens tells whether modules of an organisation have rules on how long things are kept.
func Shortens(modules map[string]*ast.Module) bool {
	for _, module := range modules {
		for _, rule := range module.Rules {
			if isShorten(module, rule) {
				return true
			}
		}
	}
	return false
}

func isShorten(module *ast.Module, rule *ast.Rule) bool {
	name, _ := rule.Head.Ref()[0].Value.(ast.Var)
	return packageOf(module) == KeepPackage && string(name) == shortenEntry
}

// checkShortens finds rules on periods that can't work: of another form, of a class that they have no say in, or with days, an id or a reason that the
// service would not take, as far as these are written out.
func checkShortens(module *ast.Module) ast.Errors {
	var errs ast.Errors
	for _, rule := range module.Rules {
		if !isShorten(module, rule) {
			continue
		}
		ref := rule.Head.Ref()
		if rule.Head.RuleKind() != ast.MultiValue || len(ref) != 2 || len(rule.Head.Args) > 0 {
			errs = append(errs, finding(EntryErr, rule.Location, `%s must add to a set (%s["copy"] contains {"days": 7, "rule": "ACME1", "reason": "reason"} if …)`, shortenEntry, shortenEntry))
			continue
		}
		if class, ok := ref[1].Value.(ast.String); ok && !slices.Contains(ShortenClasses(), string(class)) {
			errs = append(errs, finding(PeriodErr, cmpLocation(ref[1].Location, rule.Location),
				"%q is none of the classes whose period can be shortened: %s", string(class), strings.Join(ShortenClasses(), ", ")))
		}
		if member, place := writtenMember(module, rule); member != nil {
			if _, err := readShortening(member); err != nil {
				errs = append(errs, finding(PeriodErr, place, "%s", err))
			}
		}
	}
	return errs
}

// writtenMember is what a rule adds, as far as it is written out: an object of constants in its head, or its metadata, of which it takes the custom part.
func writtenMember(module *ast.Module, rule *ast.Rule) (ast.Value, *ast.Location) {
	key := rule.Head.Key
	place := cmpLocation(key.Location, rule.Location)
	if ref, ok := key.Value.(ast.Ref); ok && strings.HasSuffix(ref.String(), ".custom") && strings.HasPrefix(ref.String(), ast.RegoMetadataRule.Name+"()") {
		for _, annotation := range module.Annotations {
			if annotation.Scope == "rule" && annotation.EndLoc().Row == rule.Location.Row-1 {
				if value, err := ast.InterfaceToValue(annotation.Custom); err == nil {
					return value, place
				}
			}
		}
		return ast.NewObject(), place
	}
	switch value := key.Value.(type) {
	case ast.Ref, ast.Call, ast.Var:
		return nil, nil
	case ast.Object:
		return written(value), place
	}
	return key.Value, place
}

// written is an object with something good in the place of what is only known when the rule is asked.
func written(object ast.Object) ast.Value {
	out := ast.NewObject()
	for name, good := range map[string]*ast.Term{"days": ast.IntNumberTerm(1), "rule": ast.StringTerm("r"), "reason": ast.StringTerm("r")} {
		term := object.Get(ast.StringTerm(name))
		if term == nil {
			continue
		}
		switch term.Value.(type) {
		case ast.String, ast.Number, ast.Boolean, ast.Null:
			good = term
		}
		out.Insert(ast.StringTerm(name), good)
	}
	return out
}

// shortening is one wish to keep things for no longer than some days.
type shortening struct {
	Days   int    `json:"days"`
	Rule   string `json:"rule"`
	Reason string `json:"reason"`
}

// readShortening takes nothing for granted: what isn't understood shortens nothing, and is an error.
func readShortening(value ast.Value) (shortening, error) {
	object, ok := value.(ast.Object)
	if !ok {
		return shortening{}, fmt.Errorf("what is added to %s has to be an object with days, rule and reason", shortenEntry)
	}
	number, isNumber := get(object, "days").(ast.Number)
	days, inRange := number.Int()
	if !isNumber || !inRange || days < 1 || days > maxDays {
		return shortening{}, fmt.Errorf("the days of %s have to be a whole number from 1 to %d", shortenEntry, maxDays)
	}
	rule, _ := get(object, "rule").(ast.String)
	if !validRuleID(string(rule)) {
		return shortening{}, fmt.Errorf("the rule of %s has to be 1 to %d letters, digits, '_', '-' and '.'", shortenEntry, maxRuleID)
	}
	reason, _ := get(object, "reason").(ast.String)
	if !validReason(string(reason)) {
		return shortening{}, fmt.Errorf("the reason of %s has to be 1 to 64 of a-z, 0-9 and '_'", shortenEntry)
	}
	return shortening{Days: days, Rule: string(rule), Reason: string(reason)}, nil
}

func validRuleID(text string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."
	return text != "" && len(text) <= maxRuleID && strings.Trim(text, allowed) == ""
}

// readShortenings reads the rules' answer for one class: an object of sets by class.
func readShortenings(value ast.Value, class string) ([]shortening, error) {
	object, ok := value.(ast.Object)
	if !ok {
		return nil, fmt.Errorf("%s is not an object of sets", shortenEntry)
	}
	members := get(object, class)
	if members == nil {
		return nil, nil
	}
	set, ok := members.(ast.Set)
	if !ok || set.Len() > maxReasons {
		return nil, fmt.Errorf("%s[%q] is not a set of at most %d", shortenEntry, class, maxReasons)
	}
	list := make([]shortening, 0, set.Len())
	err := set.Iter(func(term *ast.Term) error {
		s, err := readShortening(term.Value)
		list = append(list, s)
		return err
	})
	return list, err
}

// KeptInput is what an organisation's own rules on periods see, as input.kept.
type KeptInput struct {
	// Resource whose guests hold the copies, UUID text; "" for the thread.
	Resource string `json:"resource"`
	// Policies that apply, as RetentionInput has them.
	Policies []RetentionPolicy `json:"policies"`
}

// keptValue is the input as the rules see it.
func keptValue(in RetentionInput) (ast.Value, error) {
	return KeptInput{in.Resource, in.Policies}.Value()
}

// Value is the input as Rego sees it.
func (k KeptInput) Value() (ast.Value, error) {
	k.Policies = RetentionInput{Policies: k.Policies}.withoutNull().Policies
	text, err := json.Marshal(map[string]KeptInput{"kept": k})
	if err != nil {
		return nil, fmt.Errorf("encode what rules on periods see: %w", err)
	}
	return ast.ValueFromReader(strings.NewReader(string(text)))
}
