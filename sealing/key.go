package sealing

import (
	"crypto/hpke"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// stampFormat writes the start of an interval in key ids and names of files.
const stampFormat = "20060102t150405"

// key is a key pair of one interval of a region.
type key struct {
	id          string
	start, end  time.Time
	private     hpke.PrivateKey
	publicBytes []byte
}

// keyFile is what a file of the folder holds.
type keyFile struct {
	ID      string    `json:"id"`
	Start   time.Time `json:"starts_at"`
	End     time.Time `json:"ends_at"`
	Private []byte    `json:"private"`
}

var keyIDPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}-([0-9]{8}t[0-9]{6})-[0-9a-f]{12}$`)

// newKey makes a key of the interval that begins at start.
func newKey(region string, start time.Time, interval time.Duration) (*key, error) {
	kem, _, _ := suite()
	private, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &key{
		id: region + "-" + start.UTC().Format(stampFormat) + "-" + randomHex(6), start: start.UTC(), end: start.Add(interval).UTC(),
		private: private, publicBytes: private.PublicKey().Bytes(),
	}, nil
}

// startOf reads from a key's id which region's it is and when its interval begins; false: this is no id of a key of the region.
func startOf(region, id string) (time.Time, bool) {
	parts := keyIDPattern.FindStringSubmatch(id)
	if len(parts) != 2 || !strings.HasPrefix(id, region+"-"+parts[1]+"-") {
		return time.Time{}, false
	}
	start, err := time.Parse(stampFormat, parts[1])
	return start, err == nil
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (k *key) marshal() ([]byte, error) {
	private, err := k.private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	b, err := json.Marshal(keyFile{ID: k.id, Start: k.start, End: k.end, Private: private})
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return b, nil
}

// parseKey reads what marshal gave. The error quotes nothing of it.
func parseKey(region string, b []byte) (*key, error) {
	var f keyFile
	if json.Unmarshal(b, &f) != nil {
		return nil, errors.New("read key: not the JSON that it should be")
	}
	if start, ok := startOf(region, f.ID); !ok || !start.Equal(f.Start) || !f.End.After(f.Start) {
		return nil, errors.New("read key: its id is not of the region, or not of the interval")
	}
	kem, _, _ := suite()
	private, err := kem.NewPrivateKey(f.Private)
	if err != nil {
		return nil, errors.New("read key: not an X25519 key")
	}
	return &key{id: f.ID, start: f.Start.UTC(), end: f.End.UTC(), private: private, publicBytes: private.PublicKey().Bytes()}, nil
}
