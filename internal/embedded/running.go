package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotRunning is returned by RunningURL where no instance uses the data folder, or none that listens yet.
var ErrNotRunning = errors.New("no Anteroom runs on this data folder")

// RunningURL is where the instance that holds the data folder listens.
func RunningURL(dir string) (string, error) {
	by, err := running(dir)
	return by.URL, err
}

// RunningPid is the process that holds the data folder.
func RunningPid(dir string) (int, error) {
	by, err := running(dir)
	return by.Pid, err
}

// RunningClickHouse is where the engine of the instance that holds the data folder listens, and how it is signed in to; its own folder is the one of
// the name clickhouse in the data folder.
func RunningClickHouse(dir string) (addr, user, password string, err error) {
	by, err := running(dir)
	if err == nil && by.ClickHouse == "" {
		err = fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return "", "", "", err
	}
	password, err = readSecret(filepath.Join(dir, "clickhouse", "password"))
	return by.ClickHouse, clickHouseUser, password, err
}

// RunningKafka is where the broker of the instance that holds the data folder listens, and how it is signed in to; its own folder is the one of the name
// kafka in the data folder.
func RunningKafka(dir string) (addr, user, password, mechanism string, err error) {
	by, err := running(dir)
	if err == nil && by.Kafka == "" {
		err = fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return "", "", "", "", err
	}
	password, err = readSecret(filepath.Join(dir, "kafka", "password"))
	return by.Kafka, brokerUser, password, brokerMechanism, err
}

func running(dir string) (holder, error) {
	file, err := os.Open(filepath.Join(dir, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return holder{}, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	if err != nil {
		return holder{}, fmt.Errorf("look who holds the data folder: %w", err)
	}
	defer file.Close()
	// Whoever gets a shared lock sees that nobody has the folder.
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return holder{}, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	var by holder
	if err := json.NewDecoder(file).Decode(&by); err != nil || by.URL == "" {
		return holder{}, fmt.Errorf("%w: %s", ErrNotRunning, dir)
	}
	return by, nil
}
