package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"
)

func schema() *node { return schemaOf("", reflect.TypeFor[Config]()) }

// Source says where the configuration comes from besides the defaults.
type Source struct {
	// File is a YAML file. Default: what Environ names in ANTEROOM_CONFIG; without it none.
	File string
	// Environ is the environment as NAME=value.
	Environ []string
	// Flags are keys set on the command line, typed as their fields; they win over everything.
	Flags map[string]any
}

// Load reads the configuration: defaults, then the file, then the environment, then flags, each over the one before. It reports
// all that is unknown or unreadable; whether the values can work is Validate's part.
func Load(src Source) (Config, error) {
	cfg, problems, err := load(src)
	if err := errors.Join(append(problems, err)...); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// LoadFor reads the configuration and checks it for a mode; with none, for what it seems to be meant for, which it answers. It reports all
// at once: what Load does, and what Validate does of the rest. A key whose value could not be read is not said to be missing as well.
func LoadFor(src Source, mode Mode) (Config, Mode, error) {
	cfg, problems, err := load(src)
	var unread []string
	for _, e := range problems {
		var p *problem
		if !errors.As(e, &p) { // the file can't be read: whatever else is said would be about the defaults
			return Config{}, mode, errors.Join(problems...)
		}
		unread = append(unread, p.about...)
	}
	if len(problems) > 0 && err != nil { // most likely for the same reason
		return Config{}, mode, errors.Join(problems...)
	}
	if err != nil {
		return Config{}, mode, err
	}
	if mode == "" {
		if mode = cfg.ModeOf(); slices.Contains(unread, "kafka.brokers") {
			mode = Serve
		}
	}
	for _, e := range prefixed("", cfg.Validate(mode)) {
		if !slices.ContainsFunc(unread, func(key string) bool { return concerns(e.Error(), key) }) {
			problems = append(problems, e)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Config{}, mode, err
	}
	return cfg, mode, nil
}

// concerns tells whether a complaint ("kafka.brokers[0]: …") is about a key, or about a part of it.
func concerns(complaint, key string) bool {
	rest, found := strings.CutPrefix(complaint, key)
	return key != "" && found && (rest == "" || strings.ContainsRune(":.[", rune(rest[0])))
}

// load reads the configuration and tells apart what is wrong with single keys, which are left out then, and what hinders reading at all.
func load(src Source) (cfg Config, problems []error, err error) {
	if src.File == "" {
		for _, entry := range src.Environ {
			if file, ok := strings.CutPrefix(entry, FileEnv+"="); ok {
				src.File = file
			}
		}
	}
	layers := []map[string]any{toMap(reflect.ValueOf(Default()))}
	if src.File != "" {
		layer, errs := fromFile(src.File)
		layers, problems = append(layers, layer), append(problems, errs...)
	}
	layer, errs := fromEnv(src.Environ)
	layers, problems = append(layers, layer), append(problems, errs...)
	flags := map[string]any{}
	for key, v := range src.Flags {
		put(flags, key, v)
	}
	layers = append(layers, flags)
	cfg, err = merge(layers)
	return cfg, problems, err
}

func merge(layers []map[string]any) (Config, error) {
	k := koanf.New(".")
	for _, layer := range layers {
		if err := k.Load(tree(layer), nil); err != nil {
			return Config{}, fmt.Errorf("merge configuration: %w", err)
		}
	}
	var cfg Config
	if err := k.Unmarshal("", &cfg); err != nil {
		return Config{}, fmt.Errorf("merge configuration: %w", err)
	}
	return cfg, nil
}

// tree hands a map to koanf.
type tree map[string]any

func (t tree) Read() (map[string]any, error) { return t, nil }
func (t tree) ReadBytes() ([]byte, error)    { return nil, errors.ErrUnsupported }

// fromFile reads and checks a YAML file.
func fromFile(path string) (map[string]any, []error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, []error{fmt.Errorf("read configuration: %w", err)}
	}
	name := filepath.Base(path)
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil // nothing but comments
	} else if err != nil {
		return nil, []error{fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, []error{fmt.Errorf("%s: holds more than one document", name)}
	}
	root := schema()
	r := &reader{root: root, where: func(line int) string { return fmt.Sprintf("%s:%d", name, line) }}
	v, _ := r.value(root, "", doc.Content[0]).(map[string]any)
	return v, r.problems
}
