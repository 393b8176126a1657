package bolt

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	bootstrapv1 "peerlab.example/peerlab/proto/peerlab/bootstrap/v1"
)

// lockTimeout is how long Open waits for another process to let go of the file; a
// predecessor that was told to end does so within it.
const lockTimeout = time.Second

// openFile opens or creates the file, and reads all that is in it.
func openFile(path string) (f *file, floor uint64, rosters []*bootstrapv1.Roster, err error) {
	f = &file{}
	err = whole(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType,
			OpenFile: func(name string, flag int, mode os.FileMode) (_ *os.File, err error) {
				f.held, err = os.OpenFile(name, flag, mode)
				return f.held, err
			},
		})
		if err == nil {
			floor, rosters, err = f.load()
		}
		return err
	})
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		err = errors.New("another process has it open")
	case errors.As(err, new(damage)):
		f.lost = err
		err = errors.Join(err, f.close())
	case err != nil && f.db != nil:
		err = errors.Join(err, f.close())
	}
	return f, floor, rosters, err
}

// damage is an error that says what is wrong with a file.
type damage string

func (d damage) Error() string {
	return fmt.Sprintf("the file is damaged (%s): restore a copy or delete it", string(d))
}

// whole calls do, which reads a file by bbolt, and returns what bbolt panics with as damage: it takes each page for what it should be. The
// file is mapped into memory, and a page that is not in it is a fault, which is a panic then and does not end the process.
func whole(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // of this goroutine
	defer func() {
		switch v := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // only faults have one
			err = damage("a part of it is missing")
		default:
			err = damage(fmt.Sprint(v))
		}
	}()
	return do()
}
