package policy

import "context"

// KeptAnswer is what a policy comes to for one question about periods, as replays compare it.
type KeptAnswer struct {
	// Days from sending; nil: for good.
	Days   *int   `json:"days"`
	Rule   string `json:"rule"`
	Reason Reason `json:"reason"`
	Held   bool   `json:"held"`
	// Failed says how the organisation's own rules failed, so that they were left out; "" if they didn't.
	Failed FailureKind `json:"failed,omitempty"`
}

// KeptPair is what two policies come to for the same question.
type KeptPair struct {
	Before KeptAnswer `json:"before"`
	After  KeptAnswer `json:"after"`
}

// Answer decides as Try does.
func (k *KeptBy) Answer(ctx context.Context, in RetentionInput) (KeptAnswer, error) {
	d, failure, err := k.Try(ctx, in)
	if err != nil {
		return KeptAnswer{}, err
	}
	a := KeptAnswer{Days: d.Days, Rule: d.Rule, Reason: d.Reason, Held: d.Held}
	if failure != nil {
		a.Failed = k.kindOf(failure)
	}
	return a, nil
}
