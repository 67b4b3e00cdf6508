package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what something took, in seconds of wall clock and of processor time. Times are 0 where the system does not tell (it does
// on Linux).
type usage struct {
	Wall time.Duration
	// Self is this process, ClickHouse and Kafka are the engines' processes, Machine is all work on the machine.
	Self, ClickHouse, Kafka, Machine time.Duration
}

// meter reads processor times between start and stop.
type meter struct {
	clickHouse, kafka int // process ids
	began             time.Time
	before            usage
}

func startMeter(clickHouse, kafka int) *meter {
	m := &meter{clickHouse: clickHouse, kafka: kafka}
	m.before = m.read()
	m.began = time.Now()
	return m
}

func (m *meter) stop() usage {
	wall, now := time.Since(m.began), m.read()
	return usage{
		Wall: wall, Self: now.Self - m.before.Self, ClickHouse: now.ClickHouse - m.before.ClickHouse,
		Kafka: now.Kafka - m.before.Kafka, Machine: now.Machine - m.before.Machine,
	}
}

func (m *meter) read() usage {
	return usage{Self: processTime(os.Getpid()), ClickHouse: processTime(m.clickHouse), Kafka: processTime(m.kafka), Machine: machineTime()}
}

// tick is the unit of /proc's times: USER_HZ is 100 on all platforms that Go runs on.
const tick = 10 * time.Millisecond

// processTime is user and system time of a process and its ended threads.
func processTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The second field is the name in brackets, which may hold spaces.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	return sumTicks(fields[11:13])
}

// machineTime is the time that the processors were not idle.
func machineTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	return sumTicks(fields[1:4]) + sumTicks(fields[6:9])
}

func sumTicks(fields []string) time.Duration {
	var sum time.Duration
	for _, f := range fields {
		n, _ := strconv.ParseInt(f, 10, 64)
		sum += time.Duration(n) * tick
	}
	return sum
}

// peakMemory is the largest resident size of this process so far, in bytes.
func peakMemory() int64 { return peakOf(os.Getpid()) }

// peakOf is that of a process.
func peakOf(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// processWith finds the process that has text in its arguments, 0 if there is none.
func processWith(text string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(b, []byte(text)) || !bytes.Contains(b, []byte("java")) || bytes.HasPrefix(b, []byte("sh\x00")) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		return pid
	}
	return 0
}

// machine describes this one.
func machine() string {
	cpu, memory := "", ""
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				cpu = strings.Trim(name, " \t:\n")
			}
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		if fields := strings.Fields(string(b)); len(fields) > 1 {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			memory = fmt.Sprintf(", %.0f GiB of memory", float64(kib)/(1<<20))
		}
	}
	return cpu + memory
}
