package stream

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// disk is what a disk would hold if power went, rebuilt from the system calls
// of a process.
//
// Of a file's bytes it has those that were written when the last fsync or
// fdatasync of that file began, or that went through a descriptor opened with
// O_SYNC; nothing of what was written later, which is the worst that can
// happen to it. Names are certain once their folder was synced. It is assumed
// besides that the fsync of a new file makes its name and its folders last:
// POSIX leaves that open, ext4, XFS and Btrfs do it. Names that are not
// certain are tried both ways: as if none of them had reached the disk, and as
// if all had, files without any bytes included.
type disk struct {
	names   map[string]*inode // as the process sees them
	certain map[string]*inode // as the disk surely has them
	fds     map[int]*open2
	pending map[string]string // what each thread has begun, by thread
	marks   map[string]int    // writes that an fsync in progress covers, by thread
	syncs   int
}

type inode struct {
	synced []byte
	dirty  []change
}

// change is bytes at an offset, or the length that a file was cut to.
type change struct {
	at   int64
	data []byte
	cut  bool
}

type open2 struct {
	file *inode
	at   int64
	sync bool
}

func newDisk() *disk {
	return &disk{
		names: make(map[string]*inode), certain: make(map[string]*inode),
		fds: make(map[int]*open2), pending: make(map[string]string), marks: make(map[string]int),
	}
}

// replay reads a trace and calls acked at every acknowledgement that the
// process printed.
func (d *disk) replay(trace io.Reader, acked func(n int) error) error {
	r := bufio.NewReaderSize(trace, 1<<20)
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		thread, call, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		call = strings.TrimSpace(call)
		if begun, ok := strings.CutSuffix(call, "<unfinished ...>"); ok {
			d.pending[thread] = strings.TrimRight(begun, " ")
			d.begin(thread, begun)
			continue
		}
		if rest, ok := strings.CutPrefix(call, "<... "); ok {
			_, end, _ := strings.Cut(rest, "resumed>")
			call = d.pending[thread] + end
			delete(d.pending, thread)
		} else {
			d.begin(thread, call)
		}
		n, err := d.apply(thread, call)
		if err != nil {
			return fmt.Errorf("%w in %q", err, call[:min(len(call), 300)])
		}
		if n >= 0 {
			if err := acked(n); err != nil {
				return err
			}
		}
	}
}

// begin notes how much an fsync that begins will cover.
func (d *disk) begin(thread, call string) {
	if name, args, _ := strings.Cut(call, "("); name == "fsync" || name == "fdatasync" {
		if f := d.fds[descriptor(args)]; f != nil && f.file != nil {
			d.marks[thread] = len(f.file.dirty)
		}
	}
}

// descriptor is the number that arguments begin with.
func descriptor(args string) int {
	n, err := strconv.Atoi(args[:len(args)-len(strings.TrimLeft(args, "0123456789"))])
	if err != nil {
		return -1
	}
	return n
}

// apply does what a call did that has returned. It returns the number that
// was acknowledged by it, or -1.
func (d *disk) apply(thread, call string) (acked int, err error) {
	acked = -1
	name, rest, ok := strings.Cut(call, "(")
	end := strings.LastIndex(rest, ") = ")
	if !ok || end < 0 {
		return acked, nil // a signal, an exit
	}
	args, result := rest[:end], rest[end+len(") = "):]
	ret := descriptor(result)
	if ret < 0 {
		return acked, nil // failed
	}
	texts, err := quoted(args)
	if err != nil {
		return acked, err
	}
	fd := descriptor(args)
	switch name {
	case "openat":
		d.open(texts[0], args, ret)
	case "close":
		delete(d.fds, fd)
	case "lseek":
		if f := d.fds[fd]; f != nil {
			f.at = int64(ret)
		}
	case "write":
		if fd == 1 {
			if number, ok := strings.CutPrefix(strings.TrimSpace(texts[0]), "acked "); ok {
				return strconv.Atoi(number)
			}
			return acked, nil
		}
		if f := d.fds[fd]; f != nil && f.file != nil {
			d.write(f, f.at, texts[0][:ret])
			f.at += int64(ret)
		}
	case "pwrite64":
		at, err := strconv.ParseInt(args[strings.LastIndex(args, " ")+1:], 10, 64)
		if err != nil {
			return acked, err
		}
		if f := d.fds[fd]; f != nil && f.file != nil {
			d.write(f, at, texts[0][:ret])
		}
	case "ftruncate":
		size, err := strconv.ParseInt(args[strings.LastIndex(args, " ")+1:], 10, 64)
		if err != nil {
			return acked, err
		}
		if f := d.fds[fd]; f != nil && f.file != nil {
			f.file.dirty = append(f.file.dirty, change{at: size, cut: true})
		}
	case "renameat", "renameat2", "rename":
		if f := d.names[texts[0]]; f != nil {
			d.names[texts[1]] = f
			delete(d.names, texts[0])
		} else {
			d.renameFolder(texts[0], texts[1])
		}
	case "unlinkat", "unlink":
		delete(d.names, texts[0])
	case "mkdirat", "mkdir", "newfstatat":
	case "fsync", "fdatasync":
		d.syncs++
		d.sync(thread, fd, args)
	default:
		return acked, fmt.Errorf("system call %s, of which nothing is known", name)
	}
	return acked, nil
}

func (d *disk) open(path, args string, fd int) {
	f := &open2{sync: strings.Contains(args, "O_SYNC") || strings.Contains(args, "O_DSYNC")}
	d.fds[fd] = f
	f.file = d.names[path]
	switch {
	case f.file == nil && strings.Contains(args, "O_CREAT"):
		f.file = &inode{}
		d.names[path] = f.file
	case f.file != nil && strings.Contains(args, "O_TRUNC"):
		f.file.dirty = append(f.file.dirty, change{cut: true})
	}
	if strings.Contains(args, "O_APPEND") && f.file != nil {
		f.at = int64(len(f.file.after(len(f.file.dirty))))
	}
}

func (d *disk) write(f *open2, at int64, data string) {
	f.file.dirty = append(f.file.dirty, change{at: at, data: []byte(data)})
	if f.sync {
		d.settle(f.file, len(f.file.dirty))
	}
}

// settle makes the first n changes of a file last, and its name.
func (d *disk) settle(f *inode, n int) {
	f.synced = f.after(n)
	f.dirty = f.dirty[n:]
	for name, at := range d.certain {
		if at == f && d.names[name] != f {
			delete(d.certain, name)
		}
	}
	for name, at := range d.names {
		if at == f {
			d.certain[name] = f
		}
	}
}

func (f *inode) after(n int) []byte {
	out := f.synced
	for _, c := range f.dirty[:n] {
		end := c.at + int64(len(c.data))
		if c.cut && c.at < int64(len(out)) {
			out = out[:c.at:c.at]
		}
		if grow := end - int64(len(out)); grow > 0 {
			out = append(out, make([]byte, grow)...)
		}
		copy(out[c.at:], c.data)
	}
	return out
}

func (d *disk) sync(thread string, fd int, args string) {
	if f := d.fds[fd]; f != nil && f.file != nil {
		d.settle(f.file, d.marks[thread])
		return
	}
	// A folder: its names are as the process sees them.
	_, path, _ := strings.Cut(args, "<")
	folder, _ := unescape(strings.TrimSuffix(path, ">"))
	for name := range d.certain {
		if filepath.Dir(name) == folder && d.names[name] == nil {
			delete(d.certain, name)
		}
	}
	for name, f := range d.names {
		if filepath.Dir(name) == folder {
			d.certain[name] = f
		}
	}
}

// count is the number of files that the process sees under a folder, with a
// part and an end in their names.
func (d *disk) count(folder, part, end string) (n int) {
	for name := range d.names {
		if strings.HasPrefix(name, folder) && strings.Contains(name, part) && strings.HasSuffix(name, end) {
			n++
		}
	}
	return n
}

func (d *disk) renameFolder(from, to string) {
	for name, f := range d.names {
		if rest, ok := strings.CutPrefix(name, from+"/"); ok {
			d.names[to+"/"+rest] = f
			delete(d.names, name)
		}
	}
}

// image writes what the disk has of the folder from into the folder to.
func (d *disk) image(names map[string]*inode, from, to string) error {
	for name, f := range names {
		rest, ok := strings.CutPrefix(name, from+"/")
		if !ok {
			continue
		}
		file := filepath.Join(to, rest)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, f.synced, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// quoted returns the strings among arguments.
func quoted(args string) (out []string, err error) {
	for {
		_, rest, ok := strings.Cut(args, `"`)
		if !ok {
			return out, nil
		}
		text, after, ok := strings.Cut(rest, `"`)
		if !ok {
			return nil, fmt.Errorf("a string without an end")
		}
		if strings.HasPrefix(after, "...") {
			return nil, fmt.Errorf("a string that the trace cut short")
		}
		plain, err := unescape(text)
		if err != nil {
			return nil, err
		}
		out, args = append(out, plain), after
	}
}

func unescape(text string) (string, error) {
	plain, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	return string(plain), err
}
