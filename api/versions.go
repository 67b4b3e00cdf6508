package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/anteroom/anteroom/directory"
	"github.com/anteroom/anteroom/store"
)

// etag names a version.
func etag(version uint64) string { return strconv.Quote(strconv.FormatUint(version, 10)) }

// ifMatch reads the version that a change is made to. "*" is whatever is there.
func ifMatch(header *string, current uint64) (uint64, error) {
	if header == nil {
		return 0, &Error{Code: CodePreconditionRequired, Parameter: "If-Match"}
	}
	text := strings.TrimSpace(*header)
	if text == "*" {
		return current, nil
	}
	if text != "" && strings.Trim(text, "0123456789") == "" {
		return 0, &Error{Code: CodePreconditionFailed, Parameter: "If-Match", Detail: `The version in If-Match lacks its quotes: hand over the ETag as it came, such as "1".`}
	}
	number, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 64)
	if err != nil || etag(number) != text || number == 0 {
		// Among others a weak tag or a list of tags: none of them is what this service gave.
		return 0, &Error{Code: CodePreconditionFailed, Parameter: "If-Match"}
	}
	if number != current {
		return 0, &Error{Code: CodePreconditionFailed, Parameter: "If-Match"}
	}
	return number, nil
}

// wrote translates what can go wrong with a write of the directory.
func wrote(err error) error {
	if err == nil {
		return nil
	}
	if wrong := asFieldError(err); wrong != nil {
		return wrong
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %w", &Error{Code: CodePreconditionFailed, Parameter: "If-Match"}, err)
	}
	return err
}

// present writes a value of the directory as an answer: its own JSON with version and time, and with what more says.
func present[T any](v directory.Versioned[T], more map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(v.Value)
	if err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	for name, value := range more {
		out[name] = value
	}
	out["version"], out["updated_at"] = v.Version, v.At.UTC().Format(time.RFC3339Nano)
	if text, err = json.Marshal(out); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return text, nil
}

// presentAll is present for a list.
func presentAll[T any](list []directory.Versioned[T], one func(directory.Versioned[T]) (json.RawMessage, error)) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(list))
	for i, v := range list {
		text, err := one(v)
		if err != nil {
			return nil, err
		}
		out[i] = text
	}
	return out, nil
}

// pageOf cuts a page out of a list that is in order of id, and makes the token for the next one.
func pageOf[T any](list []directory.Versioned[T], id func(T) string, token *string, size int, fingerprint string) ([]directory.Versioned[T], *string, error) {
	place, err := readCursor(token, fingerprint)
	if err != nil {
		return nil, nil, err
	}
	if place != nil {
		for len(list) > 0 && id(list[0].Value) <= place.Call {
			list = list[1:]
		}
	}
	if len(list) <= size {
		return list, nil, nil
	}
	list = list[:size]
	next := cursor{Version: cursorVersion, Of: fingerprint, Call: id(list[size-1].Value)}.token()
	return list, &next, nil
}
