// SPDX-License-Identifier: MPL-2.0

//go:build unix

// Package cost tells what processes cost that bench starts.
package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"
)

// ProfileEnv names the file that a process writes its CPU profile to.
const ProfileEnv = "BENCH_CPU_PROFILE"

// Profiled does something, and writes the profile where that is asked for.
func Profiled(do func() error) error {
	path := os.Getenv(ProfileEnv)
	if path == "" {
		return do()
	}

	// Terraform starts the provider several times, and the largest profile is of the process that reads.
	file, err := os.CreateTemp(filepath.Dir(path), "cpu-*.pprof")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())

	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}

	err = do()

	pprof.StopCPUProfile()

	done, statErr := file.Stat()
	if statErr != nil {
		return statErr
	}

	if before, statErr := os.Stat(path); statErr != nil || before.Size() < done.Size() {
		if err := os.Rename(file.Name(), path); err != nil {
			return err
		}
	}

	return err
}

// UsageEnv names the file to which every process of the provider adds a line: the seconds of CPU that it took.
const UsageEnv = "BENCH_USAGE"

// Tell adds what this process has taken so far.
func Tell() error {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}

	file, err := os.OpenFile(os.Getenv(UsageEnv), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()

	_, err = fmt.Fprintln(file, CPU(&usage))

	return err
}

// CPU is the seconds that a process took of the user's time and of the system's.
func CPU(u *syscall.Rusage) float64 {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
