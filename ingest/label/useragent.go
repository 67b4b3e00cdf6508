package label

import (
	"regexp"
	"strings"
)

// Client is what analytics keeps of a user agent: enough to group calls by, too little to know a person by.
type Client struct {
	Family  string // "Chrome", "Firefox", "Safari", "Edge", …, or "" when not known
	Version string // major version, digits only
	OS      string // "Windows", "macOS", "Linux", "Android", "iOS", "ChromeOS", or ""
}

// The order decides: a browser's user agent also names those it descends from.
var families = []struct {
	family  string
	pattern *regexp.Regexp
}{
	{"Edge", regexp.MustCompile(`\b(?:Edg|EdgA|EdgiOS|Edge)/(\d{1,4})`)},
	{"Opera", regexp.MustCompile(`\b(?:OPR|Opera)/(\d{1,4})`)},
	{"Samsung Internet", regexp.MustCompile(`\bSamsungBrowser/(\d{1,4})`)},
	{"Electron", regexp.MustCompile(`\bElectron/(\d{1,4})`)},
	{"Firefox", regexp.MustCompile(`\b(?:Firefox|FxiOS)/(\d{1,4})`)},
	{"Chrome", regexp.MustCompile(`\b(?:Chrome|HeadlessChrome|CriOS|Chromium)/(\d{1,4})`)},
	{"Safari", regexp.MustCompile(`\bVersion/(\d{1,4})[^ ]* (?:Mobile/\S+ )?Safari/`)},
	{"React Native", regexp.MustCompile(`\breact-native\b(?:/(\d{1,4}))?`)},
}

var systems = []struct{ os, mark string }{
	{"Windows", "Windows"},
	{"iOS", "iPhone"},
	{"iOS", "iPad"},
	{"iOS", "iOS"},
	{"Android", "Android"},
	{"ChromeOS", "CrOS"},
	{"macOS", "Mac OS X"},
	{"macOS", "Macintosh"},
	{"macOS", "macOS"},
	{"Linux", "Linux"},
}

// ReduceUserAgent keeps family, major version and operating system of a user agent and forgets the rest.
func ReduceUserAgent(userAgent string) Client {
	const enough = 1024 // nothing that matters comes later, and a hostile agent may be long
	if len(userAgent) > enough {
		userAgent = userAgent[:enough]
	}
	var c Client
	for _, f := range families {
		if m := f.pattern.FindStringSubmatch(userAgent); m != nil {
			c.Family, c.Version = f.family, m[1]
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(userAgent, s.mark) {
			c.OS = s.os
			break
		}
	}
	return c
}
