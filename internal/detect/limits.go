package detect

import (
	"fmt"
	"math"
	"os"
	"strconv"
)

// Limits are what one plugin's process may use, with all that it starts.
type Limits struct {
	// MemoryBytes is the most that it may hold; 0 is without limit. Beyond it
	// the plugin is killed and its run has failed.
	MemoryBytes int64 `json:"memory_bytes"`
	// CPUs is how many processors it may use on average over a few seconds; 0
	// is without limit. Beyond it the plugin is held up, not killed.
	CPUs float64 `json:"cpus"`
}

// mostProcesses is how many processes a plugin may have, itself included.
const mostProcesses = 64

// Words says what the limits are.
func (l Limits) Words() string {
	memory, processors := "no limit of memory", "no limit of processors"
	if l.MemoryBytes > 0 {
		memory = "at most " + bytesInWords(l.MemoryBytes)
	}
	if l.CPUs > 0 {
		processors = processorsInWords(l.CPUs)
	}
	return memory + ", " + processors
}

func processorsInWords(n float64) string {
	if n == 1 {
		return "1 processor"
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + " processors"
}

// bytesInWords writes a size with the unit that fits.
func bytesInWords(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.4g GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20))
}

// builtInLimits are generous: the program's own detectors are kept from taking
// the whole machine down, and from nothing else.
func builtInLimits() Limits {
	return Limits{MemoryBytes: max(4<<30, systemMemory()/4*3)}
}

// hints tells runtimes of the limits, so that they keep within them by
// themselves: Go, and the libraries of numbers that start a thread for each
// processor. What the host's own environment says stands where it is lower.
func (l Limits) hints() []string {
	var out []string
	if l.MemoryBytes > 0 && os.Getenv("GOMEMLIMIT") == "" {
		out = append(out, fmt.Sprintf("GOMEMLIMIT=%d", l.MemoryBytes/10*9))
	}
	if l.CPUs > 0 {
		n := max(1, int(math.Ceil(l.CPUs)))
		if host, err := strconv.Atoi(os.Getenv("GOMAXPROCS")); err == nil && host > 0 {
			n = min(n, host)
		}
		for _, name := range []string{"GOMAXPROCS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} {
			out = append(out, fmt.Sprintf("%s=%d", name, n))
		}
	}
	return out
}
