package sealing

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Outcomes of seals and opens: closed sets.
const (
	outcomeSealed    = "sealed"
	outcomeOpened    = "opened"
	outcomeNoKey     = "no_key"
	outcomeDestroyed = "destroyed"
	outcomeAltered   = "altered"
	outcomeFailed    = "failed"
)

type keeperMetrics struct {
	opens     *prometheus.CounterVec
	destroyed prometheus.Counter
	failures  prometheus.Counter
}

func (m *keeperMetrics) register(registry prometheus.Registerer, k *Keeper) error {
	m.opens = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "anteroom_sealing_opens_total", Help: "Sealed texts that were opened or could not be, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{outcomeOpened, outcomeNoKey, outcomeDestroyed, outcomeAltered, outcomeFailed} {
		m.opens.WithLabelValues(outcome)
	}
	m.destroyed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "anteroom_sealing_keys_destroyed_total", Help: "Keys that this process destroyed, since all that was sealed to them is ingested.",
	})
	m.failures = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "anteroom_sealing_pass_failures_total", Help: "Passes in which a key could not be made, published or destroyed.",
	})
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "anteroom_sealing_keys", Help: "Private keys in the region's folder.",
	}, func() float64 { return float64(len(k.oldestFirst())) })
	oldest := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "anteroom_sealing_oldest_key_age_seconds", Help: "Since the oldest key that is still there began to be sealed to.",
	}, func() float64 {
		if keys := k.oldestFirst(); len(keys) > 0 {
			return max(k.deps.Now().Sub(keys[0].start).Seconds(), 0)
		}
		return 0
	})
	if registry == nil {
		return nil
	}
	registry = prometheus.WrapRegistererWith(prometheus.Labels{"region": k.region}, registry)
	for _, c := range []prometheus.Collector{m.opens, m.destroyed, m.failures, held, oldest} {
		if err := registry.Register(c); err != nil {
			return err //nolint:wrapcheck // NewKeeper says what failed
		}
	}
	return nil
}

func (m *keeperMetrics) opened(err error) {
	outcome := outcomeFailed
	switch {
	case err == nil:
		outcome = outcomeOpened
	case errors.Is(err, ErrNoKey):
		outcome = outcomeNoKey
	case errors.Is(err, ErrDestroyed):
		outcome = outcomeDestroyed
	case errors.Is(err, ErrAltered):
		outcome = outcomeAltered
	}
	m.opens.WithLabelValues(outcome).Inc()
}

type ringMetrics struct{ seals *prometheus.CounterVec }

func (m *ringMetrics) register(registry prometheus.Registerer) error {
	m.seals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "anteroom_sealing_seals_total", Help: "Texts that were sealed or could not be, by outcome.",
	}, []string{"outcome"})
	for _, outcome := range []string{outcomeSealed, outcomeNoKey, outcomeFailed} {
		m.seals.WithLabelValues(outcome)
	}
	if registry == nil {
		return nil
	}
	return registry.Register(m.seals) //nolint:wrapcheck // NewRing says what failed
}

func (m *ringMetrics) sealed(err error) {
	outcome := outcomeFailed
	switch {
	case err == nil:
		outcome = outcomeSealed
	case errors.Is(err, ErrNoKey):
		outcome = outcomeNoKey
	}
	m.seals.WithLabelValues(outcome).Inc()
}
