package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// Config is how much authors may use. A field that is zero has its default.
type Config struct {
	// Children is how many run at once. Default 2.
	Children int `koanf:"children"`
	// Queue is how many more may wait for their turn; what comes then is refused with ErrBusy. Default 16.
	Queue int `koanf:"queue"`
	// Limits of one child.
	Limits Limits `koanf:"limits"`
}

// Limits of one child. It is killed when it passes one of them.
type Limits struct {
	// MemoryMB is the memory that it has, in MiB. Default 512.
	MemoryMB int `koanf:"memory_mb"`
	// CPU is the processor time of all its threads. Default 10s.
	CPU time.Duration `koanf:"cpu"`
	// Wall is the time from its start to its answer. Whoever passes it without having used CPU was kept waiting by a busy machine, and is asked to try
	// again. Default 1m.
	Wall time.Duration `koanf:"wall"`
	// OutputMB is how long its answer may be, in MiB. Default 16.
	OutputMB int `koanf:"output_mb"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config {
	return Config{Children: 2, Queue: 16, Limits: Limits{MemoryMB: 512, CPU: 10 * time.Second, Wall: time.Minute, OutputMB: 16}}
}

func (c Config) withDefaults() Config {
	standard := DefaultConfig()
	c.Children = cmp.Or(c.Children, standard.Children)
	c.Queue = cmp.Or(c.Queue, standard.Queue)
	c.Limits.MemoryMB = cmp.Or(c.Limits.MemoryMB, standard.Limits.MemoryMB)
	c.Limits.CPU = cmp.Or(c.Limits.CPU, standard.Limits.CPU)
	c.Limits.Wall = cmp.Or(c.Limits.Wall, standard.Limits.Wall)
	c.Limits.OutputMB = cmp.Or(c.Limits.OutputMB, standard.Limits.OutputMB)
	return c
}

// minMemoryMB is what a child needs for itself.
const minMemoryMB = 128

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	for _, field := range []struct {
		name       string
		value, min int
	}{{"children", c.Children, 1}, {"queue", c.Queue, 0}, {"limits.memory_mb", c.Limits.MemoryMB, minMemoryMB}, {"limits.output_mb", c.Limits.OutputMB, 1}} {
		if field.value < field.min {
			errs = append(errs, fmt.Errorf("%s: %d is less than %d", field.name, field.value, field.min))
		}
	}
	for _, field := range []struct {
		name  string
		value time.Duration
	}{{"limits.cpu", c.Limits.CPU}, {"limits.wall", c.Limits.Wall}} {
		if field.value < time.Second {
			errs = append(errs, fmt.Errorf("%s: %s is less than 1s", field.name, field.value))
		}
	}
	return errors.Join(errs...)
}
