package author

import (
	"context"
	"fmt"
	"strings"

	"github.com/anteroom/anteroom/policy"
)

// SpeaksOfPeriods tells whether a content may have rules on how long things are kept; it looks at names only.
func (c Content) SpeaksOfPeriods() bool {
	for name, text := range c.Files {
		if isModule(name) && !policy.IsTest(name) && strings.Contains(text, policy.KeepPackage) {
			return true
		}
	}
	return false
}

// Kept answers questions about periods by two contents; one without files is the rules of the house alone. A content that can't be activated is an error, one
// whose rules fail on a question is an answer.
func Kept(ctx context.Context, base *policy.Base, before, after Content, inputs []policy.RetentionInput) ([]policy.KeptPair, error) {
	by, err := keptBy(base, before)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	would, err := keptBy(base, after)
	if err != nil {
		return nil, fmt.Errorf("after: %w", err)
	}
	pairs := make([]policy.KeptPair, len(inputs))
	for i, in := range inputs {
		if pairs[i].Before, err = by.Answer(ctx, in); err != nil {
			return nil, err
		}
		if pairs[i].After, err = would.Answer(ctx, in); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

// keptBy decides by a content as the service would once it is active.
func keptBy(base *policy.Base, c Content) (*policy.KeptBy, error) {
	if len(c.Files) == 0 {
		return base.KeptBy(organization, nil)
	}
	if _, list := c.parse(base); failed(list) {
		return nil, fmt.Errorf("the policy has errors: %s", firstError(ordered(list)))
	}
	r, err := c.Revision()
	if err != nil {
		return nil, err
	}
	by, err := base.KeptBy(organization, &r)
	if err != nil {
		return nil, fmt.Errorf("the policy can't be activated: %w", err)
	}
	return by, nil
}
