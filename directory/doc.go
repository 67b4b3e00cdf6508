// Package directory owns what is known before anybody calls: organisations, their users, resources (the applications that guests come
// from) and meetings; their shapes, defaults and validation.
//
// The values are JSON, kept as versioned control rows. directory/registry keeps them: it writes with compare-and-set, and holds a snapshot that
// follows every change within half a second. Nothing here is about a guest.
package directory
