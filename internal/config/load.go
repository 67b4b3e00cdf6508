package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
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
	if src.File == "" {
		for _, entry := range src.Environ {
			if file, ok := strings.CutPrefix(entry, FileEnv+"="); ok {
				src.File = file
			}
		}
	}
	layers := []map[string]any{toMap(reflect.ValueOf(Default()))}
	var problems []error
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
	if err := errors.Join(problems...); err != nil {
		return Config{}, err
	}
	return merge(layers)
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
