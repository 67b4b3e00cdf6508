package webrtcinternals

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Bounds of what one file may hold, far above real dumps, so that a hostile file takes no more memory than its size warrants.
const (
	maxSeries     = 1 << 18 // with a meaning here, of one peer connection
	maxSeriesText = 4 << 20 // bytes of one series; the page keeps a thousand values
	maxValues     = 1 << 23 // of all series of one peer connection
	maxUpdates    = 1 << 17 // of one peer connection
	maxCaptures   = 1 << 16
)

var (
	errShape      = errors.New("not of the shape that webrtc-internals writes")
	errTooMany    = errors.New("more peer connections, series, values or events than a browser can have")
	errLongSeries = errors.New("a series is longer than 4 MiB")
)

// members calls f for each member of a JSON object, one after the other, so that no more than one of them is held apart.
// raw must be valid JSON.
func members(raw json.RawMessage, f func(name string, value json.RawMessage) error) error {
	if absent(raw) {
		return nil
	}
	if raw[0] != '{' {
		return errShape
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return errShape
	}
	var value json.RawMessage
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		if err != nil || !ok || d.Decode(&value) != nil {
			return errShape
		}
		if err := f(name, value); err != nil {
			return err
		}
		value = value[:0]
	}
	return nil
}

// elements reads a JSON array of at most so many values. raw must be valid JSON.
func elements[T any](raw json.RawMessage, most int) ([]T, error) {
	if absent(raw) {
		return nil, nil
	}
	if raw[0] != '[' {
		return nil, errShape
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, errShape
	}
	var list []T
	for d.More() {
		if len(list) >= most {
			return nil, errTooMany
		}
		var v T
		if d.Decode(&v) != nil {
			return nil, errShape
		}
		list = append(list, v)
	}
	return list, nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
