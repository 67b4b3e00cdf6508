package sealing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anteroom/anteroom/store"
)

// Kind of the control rows that say which keys a region has. The rows are the installation's, so they have no organisation.
//
// A row is a slot, and its versions are the keys that took it, one after the other: published, withdrawn when its interval is over, deleted when
// it was destroyed. Slots are few, since whoever follows them reads the versions of all of them at each look, and their history says of each key
// that ever was what became of it. Which slot is an interval's follows from its time, so that of several nodes only one can publish a key for it.
// The store forgets versions after a month.
const Kind = "sealing_key"

const author = "keeper"

// Slots are by the time of day; while those of before are not destroyed yet, more come.
const (
	slotSeconds = 600
	slotsADay   = 24 * 3600 / slotSeconds
)

// row is the value of a control row.
type row struct {
	ID     string    `json:"id"`
	Region string    `json:"region"`
	Folder string    `json:"folder"`
	Public []byte    `json:"public"`
	Start  time.Time `json:"starts_at"`
	End    time.Time `json:"ends_at"`
	// Withdrawn: nobody seals to it any more.
	Withdrawn bool `json:"withdrawn,omitempty"`
}

// publishedKey is a row as it is stored.
type publishedKey struct {
	row
	slot    string
	version uint64
}

func slotName(region string, start time.Time, lap int) string {
	return fmt.Sprintf("%s.%03d", region, start.Unix()/slotSeconds%slotsADay+int64(lap*slotsADay))
}

func parseRow(c store.Control) (publishedKey, error) {
	p := publishedKey{slot: c.ID, version: c.Version}
	if json.Unmarshal(c.Value, &p.row) != nil || !strings.HasPrefix(c.ID, p.Region+".") {
		return p, errors.New("read row of key: not the JSON that it should be")
	}
	if start, ok := startOf(p.Region, p.ID); !ok || !start.Equal(p.Start) || !p.End.After(p.Start) {
		return p, errors.New("read row of key: its id is not of the region, or not of the interval")
	}
	return p, nil
}

// published reads the region's keys that are not destroyed, by slot.
func (k *Keeper) published(ctx context.Context) (map[string]publishedKey, error) {
	list, err := k.deps.Home.List(ctx, Kind, "")
	if err != nil {
		return nil, fmt.Errorf("list published keys: %w", err)
	}
	rows := map[string]publishedKey{}
	for _, c := range list {
		if !strings.HasPrefix(c.ID, k.region+".") {
			continue
		}
		p, err := parseRow(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		rows[c.ID] = p
	}
	return rows, nil
}

// publish tells media the public half of a key, unless the interval has one that is published. The file is on disk before.
func (k *Keeper) publish(ctx context.Context, held *key, rows map[string]publishedKey) error {
	for slot, p := range rows {
		switch {
		case !p.Start.Equal(held.start):
		case p.ID == held.id && !p.Withdrawn:
			return nil
		case p.ID == held.id: // the clock was turned back
			return k.replace(ctx, held, rows, p)
		case p.Folder == k.folder.id, slices.Contains(k.cfg.LostFolders, p.Folder):
			// The file of that key has vanished: this one has its name, or its folder is lost.
			if err := k.delete(ctx, p); err != nil {
				return err
			}
			delete(rows, slot)
		default:
			return k.foreign(p, held)
		}
	}
	return k.replace(ctx, held, rows, publishedKey{slot: k.freeSlot(held.start, rows)})
}

// freeSlot is the first of an interval's that no key has.
func (k *Keeper) freeSlot(start time.Time, rows map[string]publishedKey) string {
	for lap := 0; ; lap++ {
		slot := slotName(k.region, start, lap)
		if _, taken := rows[slot]; !taken {
			return slot
		}
	}
}

// replace publishes a key in the slot of before, which names the slot and its version.
func (k *Keeper) replace(ctx context.Context, held *key, rows map[string]publishedKey, before publishedKey) error {
	if err := k.folder.sync(); err != nil { // the file may be another node's
		return err
	}
	p := publishedKey{
		row:  row{ID: held.id, Region: k.region, Folder: k.folder.id, Public: held.publicBytes, Start: held.start, End: held.end},
		slot: before.slot, version: before.version,
	}
	stored, err := k.put(ctx, p)
	if errors.Is(err, store.ErrConflict) {
		// Another node was first, as a rule with the same key.
		c, err := k.deps.Home.Get(ctx, Kind, "", p.slot)
		if err != nil {
			return fmt.Errorf("read published key: %w", err)
		}
		if p, err = parseRow(c); err != nil {
			return err
		}
		if p.ID != held.id {
			return k.foreign(p, held)
		}
		rows[p.slot] = p
		return nil
	}
	if err != nil {
		return err
	}
	rows[p.slot] = stored
	delete(k.over, held.id)
	k.deps.Log.InfoContext(ctx, "a key was published", "region", k.region, "key", held.id, "ends_at", held.end)
	return nil
}

// put writes the next version of a slot.
func (k *Keeper) put(ctx context.Context, p publishedKey) (publishedKey, error) {
	value, err := json.Marshal(p.row)
	if err != nil {
		return p, fmt.Errorf("encode row of key: %w", err)
	}
	c, err := k.deps.Home.Put(ctx, store.Control{Kind: Kind, ID: p.slot, Value: value, Author: author}, p.version)
	if err != nil {
		return p, fmt.Errorf("write row of key: %w", err)
	}
	return parseRow(c)
}

// delete marks a key as destroyed.
func (k *Keeper) delete(ctx context.Context, p publishedKey) error {
	_, err := k.deps.Home.Delete(ctx, Kind, "", p.slot, author, p.version)
	if err != nil && !errors.Is(err, store.ErrConflict) { // another node was first
		return fmt.Errorf("mark key as destroyed: %w", err)
	}
	return nil
}

// foreign is why a key can't be published.
func (k *Keeper) foreign(p publishedKey, held *key) error {
	if p.Folder == k.folder.id {
		return errors.New("publish key: another node publishes at the same time; trying again")
	}
	return fmt.Errorf("dir: the key of %s that is published is in another folder (id %s) than this node's (id %s): the nodes of a region share one; "+
		"if that folder is lost for good, name it in lost_folders", held.start.Format(time.RFC3339), p.Folder, k.folder.id)
}
