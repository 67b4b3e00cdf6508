package nodes

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config of several media nodes that share the meetings. A field that is zero has its default.
type Config struct {
	// URL is where the other processes of this installation reach this one ("http://10.0.0.7:8080"); of clients it needs to be reached by none. Default
	// none: this process alone has the region's meetings, and no other may have the role media.
	URL string `koanf:"url"`
	// Lease is how long a node may be silent before its meetings are taken over. Default 3s.
	Lease time.Duration `koanf:"lease"`
}

// DefaultConfig returns the configuration that holds unless set.
func DefaultConfig() Config { return Config{Lease: 3 * time.Second} }

// Validate reports each field that can't work, by its name in the configuration file.
func (c Config) Validate() error {
	var errs []error
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") ||
		u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		errs = append(errs, fmt.Errorf("url: %q is not an address such as http://10.0.0.7:8080, without a path", c.URL))
	}
	if c.Lease != 0 && (c.Lease < time.Second || c.Lease > time.Minute) {
		errs = append(errs, errors.New("lease: must be from 1s to 1m"))
	}
	return errors.Join(errs...)
}
