package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/anteroom/anteroom/internal/app"
	"github.com/anteroom/anteroom/internal/config"
	"github.com/anteroom/anteroom/internal/embedded"
	"github.com/anteroom/anteroom/internal/kafka"
)

// startEngines starts the embedded broker and ClickHouse at the same time and returns the configuration that reaches them, and
// adds their ends to the app. A ClickHouse that ends by itself is started again; meanwhile the store's check says that it is away. The broker is stopped after ClickHouse, though nothing depends on the order.
func (c *cli) startEngines(ctx context.Context, a *app.App, log *slog.Logger, cfg config.Config) (config.Config, error) {
	defer c.progress("Starting the embedded Kafka and ClickHouse")()
	var (
		wg                   sync.WaitGroup
		broker               *embedded.Broker
		clickhouse           *embedded.Supervised
		brokerErr, engineErr error
	)
	wg.Go(func() {
		broker, brokerErr = embedded.StartBroker(ctx, brokerConfig(cfg.Embedded, log))
	})
	wg.Go(func() {
		clickhouse, engineErr = embedded.SuperviseClickHouse(ctx, clickHouseConfig(cfg), log)
	})
	wg.Wait()
	if brokerErr == nil {
		a.OnStop("broker", func(context.Context) error { return broker.Close() })
	}
	if engineErr == nil {
		closed := make(chan struct{})
		a.OnStop("ClickHouse", func(context.Context) error {
			defer close(closed)
			return clickhouse.Close()
		})
		go func() {
			select {
			case err := <-clickhouse.Failed():
				a.Fail(err)
			case <-closed:
			}
		}()
	}
	if err := errors.Join(brokerErr, engineErr); err != nil {
		return cfg, err
	}
	return reaching(cfg, broker, clickhouse), nil
}

func brokerConfig(cfg config.Embedded, log *slog.Logger) embedded.BrokerConfig {
	out := embedded.DefaultBrokerConfig(filepath.Join(cfg.Data, "kafka"))
	out.Logger = log
	return out
}

func clickHouseConfig(cfg config.Config) embedded.ClickHouseConfig {
	out := embedded.DefaultClickHouseConfig(filepath.Join(cfg.Embedded.Data, "clickhouse"))
	out.Binary, out.Library = cfg.Embedded.ClickHouseBinary, cfg.Embedded.Library
	out.MemoryRatio, out.Pool, out.LogDays = cfg.Embedded.MemoryRatio, cfg.Embedded.MergeThreads, cfg.Embedded.LogDays
	out.Backups = backupFolder(cfg)
	return out
}

// workWith reaches the engines of a configuration for a command that works with them, for as long as the app runs: those of a data folder are started, and
// the folder is locked. beside: if an instance runs on it, its engines are taken; else that is an error.
func (c *cli) workWith(ctx context.Context, a *app.App, log *slog.Logger, cfg config.Config, beside bool) (config.Config, error) {
	if cfg.ModeOf() == config.Serve {
		return cfg, nil
	}
	if beside {
		broker, brokerUser, brokerPassword, mechanism, err := embedded.RunningKafka(cfg.Embedded.Data)
		if err == nil {
			addr, user, password, err := embedded.RunningClickHouse(cfg.Embedded.Data)
			cfg.Kafka.Brokers = []string{broker}
			cfg.Kafka.SASL = kafka.SASLConfig{Mechanism: mechanism, Username: brokerUser, Password: brokerPassword}
			if err != nil {
				return cfg, err
			}
			return ownKey(reachingClickHouse(cfg, addr, user, password))
		}
		if !errors.Is(err, embedded.ErrNotRunning) {
			return cfg, err
		}
	}
	lock, err := embedded.AcquireLock(cfg.Embedded.Data)
	if err != nil {
		return cfg, err
	}
	a.OnStop("lock", func(context.Context) error { return lock.Close() })
	if cfg, err = c.startEngines(ctx, a, log, cfg); err != nil {
		return cfg, err
	}
	return ownKey(cfg)
}

// reaching fills in how the embedded engines are reached: like any others, over their sockets.
func reaching(cfg config.Config, broker *embedded.Broker, clickhouse *embedded.Supervised) config.Config {
	cfg.Kafka.Brokers = []string{broker.Addr()}
	cfg.Kafka.SASL.Mechanism = broker.Mechanism()
	cfg.Kafka.SASL.Username = broker.User()
	cfg.Kafka.SASL.Password = broker.Password()
	return reachingClickHouse(cfg, clickhouse.Addr(), clickhouse.User(), clickhouse.Password())
}

func reachingClickHouse(cfg config.Config, addr, user, password string) config.Config {
	cfg.ClickHouse.Addresses, cfg.ClickHouse.Username, cfg.ClickHouse.Password = []string{addr}, user, password
	for _, name := range cfg.Embedded.Regions {
		further := config.Region{Name: name, ClickHouse: cfg.ClickHouse, Kafka: cfg.Kafka}
		further.ClickHouse.Database = config.EmbeddedDatabase(name)
		cfg.Regions = append(cfg.Regions, further)
	}
	return cfg
}

// ownKey gives the labelling key of the data folder where none is configured, making it the first time.
func ownKey(cfg config.Config) (config.Config, error) {
	if cfg.Labelling != (config.Labelling{}) {
		return cfg, nil
	}
	key, err := embedded.Secret(cfg.Embedded.Data, "labelling-key")
	if err != nil {
		return cfg, fmt.Errorf("labelling key: %w", err)
	}
	cfg.Labelling.Key = key
	return cfg, nil
}

// lookInto reaches the ClickHouse of a configuration for a command that only looks: of a data folder that of the instance that runs on it, and if none
// does, one that is started for it, with the folder locked. end gives all of it back.
func (c *cli) lookInto(ctx context.Context, cfg config.Config) (_ config.Config, end func() error, err error) {
	if cfg.ModeOf() == config.Serve {
		return cfg, func() error { return nil }, nil
	}
	if _, err := os.Stat(clickHouseConfig(cfg).Dir); err != nil {
		return cfg, nil, fmt.Errorf("there is no Anteroom in the data folder %s: %w", cfg.Embedded.Data, err)
	}
	addr, user, password, err := embedded.RunningClickHouse(cfg.Embedded.Data)
	if err == nil {
		return reachingClickHouse(cfg, addr, user, password), func() error { return nil }, nil
	}
	if !errors.Is(err, embedded.ErrNotRunning) {
		return cfg, nil, err
	}
	defer c.progress("Starting the embedded ClickHouse")()
	lock, err := embedded.AcquireLock(cfg.Embedded.Data)
	if err != nil {
		return cfg, nil, err
	}
	engine, err := embedded.StartClickHouse(ctx, clickHouseConfig(cfg))
	if err != nil {
		return cfg, nil, errors.Join(err, lock.Close())
	}
	end = func() error { return errors.Join(engine.Close(), lock.Close()) }
	return reachingClickHouse(cfg, engine.Addr(), engine.User(), engine.Password()), end, nil
}
