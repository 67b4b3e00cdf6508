package config_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/anteroom/anteroom/internal/config"
)

// plant sets each text of a configuration that is called like a secret, in entries of lists as well, and tells the keys.
func plant(v reflect.Value, path, canary string) (planted []string) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("koanf")
		field, at := v.Field(i), strings.TrimPrefix(path+"."+tag, ".")
		switch {
		case field.Kind() == reflect.Struct:
			planted = append(planted, plant(field, at, canary)...)
		case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			planted = append(planted, plant(field.Index(0), at+"[0]", canary)...)
		case field.Kind() == reflect.Pointer && field.Type().Elem().Kind() == reflect.Struct:
			field.Set(reflect.New(field.Type().Elem()))
			planted = append(planted, plant(field.Elem(), at, canary)...)
		case field.Kind() == reflect.String && slices.Contains([]string{"password", "secret", "token", "key"}, tag):
			field.SetString(canary)
			planted = append(planted, at)
		}
	}
	return planted
}

// No secret of any section, region or source is printed or quoted, be it right or wrong; a value that is none is.
func TestNoSecretIsShown(t *testing.T) {
	canaries := []string{"canary with what no key has", "canary-canary-canary-canary-canary-canary", "canary\nin two lines"}
	for _, canary := range canaries {
		cfg := config.Default()
		planted := plant(reflect.ValueOf(&cfg).Elem(), "", canary)
		if len(planted) < 8 {
			t.Fatalf("only %v are secrets", planted)
		}
		cfg.ClickHouse.Username = "shown-canary"
		text, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "shown-canary") {
			t.Error("a user's name is not printed: the search proves nothing")
		}
		said := strings.ReplaceAll(string(text), "shown-canary", "") + fmt.Sprint(cfg.Masked())
		for _, mode := range []config.Mode{config.Run, config.Serve} {
			said += fmt.Sprint(errors.Join(cfg.Validate(mode)))
		}
		for _, part := range []string{canary, strings.SplitN(canary, "\n", 2)[0]} {
			if i := strings.Index(strings.ReplaceAll(said, "shown-canary", ""), part); i >= 0 {
				t.Errorf("%q is shown: …%s", part, said[max(0, i-120):min(len(said), i+60)])
			}
		}
		t.Logf("planted in %d keys: %v", len(planted), planted)
	}
}

// What the environment sets is not quoted when it is refused.
func TestNoSecretOfTheEnvironmentIsQuoted(t *testing.T) {
	const canary = "canary-that-nobody-may-see"
	var environ []string
	for _, name := range config.EnvNames() {
		if slices.ContainsFunc([]string{"_PASSWORD", "_SECRET", "_TOKEN", "_KEY"}, func(end string) bool { return strings.HasSuffix(name, end) }) {
			environ = append(environ, name+"="+canary)
		}
	}
	if len(environ) < 5 {
		t.Fatalf("only %v", environ)
	}
	environ = append(environ, "ANTEROOM_KAFKA_SASL_MECHANISM=told", "ANTEROOM_CLICKHOUSE_PASWORD="+canary)
	_, _, err := config.LoadFor(config.Source{Environ: environ}, config.Serve)
	if err == nil || !strings.Contains(err.Error(), "told") {
		t.Fatalf("nothing was refused, or not by its value: %v", err)
	}
	if strings.Contains(err.Error(), canary) {
		t.Errorf("quoted: %v", err)
	}
}
