package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/targettest"
)

// faulty returns a target behind a proxy, and the proxy.
func faulty(t *testing.T) (*Target, *targettest.Proxy) {
	t.Helper()
	s := targettest.StartS3(t)
	p := targettest.StartProxy(t, s.Endpoint)
	return openAt(t, s.URLAt(p.URL, "p")), p
}

// holds fails the test if the object is not there as b, or is there although b is nil.
func holds(t *testing.T, to *Target, name string, b []byte) {
	t.Helper()
	info, err := to.Sum(t.Context(), name)
	if b == nil {
		want(t, err, target.ErrNotExist)
		return
	}
	if err != nil || info.SHA256 != sha256.Sum256(b) || info.Size != int64(len(b)) {
		t.Errorf("%s: %+v, %v", name, info, err)
	}
}

var (
	puts  = targettest.Method(http.MethodPut)
	gets  = targettest.Method(http.MethodGet)
	heads = targettest.Method(http.MethodHead)
)

func TestWhatComesOfAPutThatMeetsAFault(t *testing.T) {
	const size = 4 << 20
	for _, c := range []struct {
		what   string
		fault  targettest.Fault
		stored bool
		kind   error // nil: none of the sentinels
		asks   int   // how many requests it takes to find out what is there
	}{
		{"the reply is lost", targettest.LoseReply(), true, target.ErrExists, 1},
		{"stored, and answered 500", targettest.AnswerLate(500, "InternalError"), true, target.ErrExists, 1},
		{"reset before the first byte", targettest.ResetAfter(0), false, nil, 2},
		{"reset in the middle", targettest.ResetAfter(size / 2), false, nil, 2},
		{"reset before the last byte", targettest.ResetAfter(size - 1), false, nil, 2},
		{"answered 500", targettest.Answer(500, "InternalError"), false, nil, 2},
		{"answered 409, and nothing there", targettest.Answer(409, "ConditionalRequestConflict"), false, nil, 2},
		{"stored, and answered 409", targettest.AnswerLate(409, "ConditionalRequestConflict"), true, target.ErrExists, 1},
		{"answered 503", targettest.Answer(503, "SlowDown"), false, nil, 0},
		{"no room on the disk", targettest.Answer(507, "InsufficientStorage"), false, target.ErrFull, 0},
		{"no room in the quota", targettest.Answer(403, "QuotaExceeded"), false, target.ErrFull, 0},
		{"not allowed", targettest.Answer(403, "AccessDenied"), false, target.ErrDenied, 0},
		{"the session is over", targettest.Answer(400, "ExpiredToken"), false, target.ErrDenied, 0},
		{"slow", targettest.Slow(64 << 20), true, nil, 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			to, p := faulty(t)
			p.Inject(1, puts, c.fault)
			b := random(1, size)
			r := &countingReader{r: bytes.NewReader(b)}
			err := to.Put(t.Context(), "x", r, size, sha256.Sum256(b))
			r.over.Store(true)
			if c.kind == nil && c.stored != (err == nil) {
				t.Fatal(err)
			}
			for _, kind := range []error{target.ErrExists, target.ErrFull, target.ErrDenied, target.ErrNotExist} {
				if errors.Is(err, kind) != (kind == c.kind) {
					t.Errorf("%v: is %q: %t", err, kind, errors.Is(err, kind))
				}
			}
			sent := p.Requests()
			if n := len(sent); n != 1+c.asks {
				t.Errorf("%d requests: %q", n, sent)
			}
			if !c.stored {
				b = nil
			}
			holds(t, to, "x", b)
			if n := r.late.Load(); n > 0 {
				t.Errorf("%d reads after Put returned", n)
			}
		})
	}
}

func TestARefusalForSomethingThatIsThereIsExistsHoweverItArrives(t *testing.T) {
	to, p := faulty(t)
	first, second := random(1, 2<<20), random(2, 2<<20)
	if err := put(to, t.Context(), "x", first); err != nil {
		t.Fatal(err)
	}
	for _, f := range []targettest.Fault{nil, targettest.LoseReply(), targettest.ResetAfter(1 << 20), targettest.Answer(409, "OperationAborted")} {
		if f != nil {
			p.Inject(1, puts, f)
		}
		want(t, put(to, t.Context(), "x", second), target.ErrExists)
		holds(t, to, "x", first)
	}
}

func TestWithoutAnAnswerToTheQuestionTheOutcomeIsUnknown(t *testing.T) {
	to, p := faulty(t)
	p.Inject(1, puts, targettest.LoseReply())
	p.Inject(1, heads, targettest.Answer(500, ""))
	b := random(1, 1000)
	err := put(to, t.Context(), "x", b)
	want(t, err, nil)
	if errors.Is(err, target.ErrExists) {
		t.Error(err)
	}
	holds(t, to, "x", b)
}

func TestAHungServerIsLeftWhenTheTimeIsUp(t *testing.T) {
	target, p := faulty(t)
	p.Inject(-1, nil, targettest.Stall())
	b := random(1, 1<<20)
	for op, f := range map[string]func(ctx context.Context) error{
		"put": func(ctx context.Context) error { return put(target, ctx, "x", b) },
		"stat": func(ctx context.Context) error {
			_, err := target.Stat(ctx, "x")
			return err
		},
		"open": func(ctx context.Context) error {
			_, err := target.Open(ctx, "x", 0, -1)
			return err
		},
		"list": func(ctx context.Context) error {
			for _, err := range target.List(ctx, "", "") {
				return err
			}
			return nil
		},
		"delete": func(ctx context.Context) error { return target.Delete(ctx, "x") },
		"probe":  target.Probe,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		want(t, f(ctx), context.DeadlineExceeded, op, "deadline")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sent := len(p.Requests())
	want(t, put(target, ctx, "x", b), context.Canceled)
	if n := len(p.Requests()) - sent; n != 0 {
		t.Errorf("%d requests for a call that was over", n)
	}
}

func TestNothingIsTriedTwice(t *testing.T) {
	target, p := faulty(t)
	p.Inject(-1, nil, targettest.Answer(503, "SlowDown"))
	_, err := target.Open(t.Context(), "x", 0, -1)
	want(t, err, nil, "503", "SlowDown")
	want(t, target.Delete(t.Context(), "x"), nil, "503")
	if sent := p.Requests(); !slices.Equal(sent, []string{"GET /varve/p/x", "DELETE /varve/p/x"}) {
		t.Errorf("%q", sent)
	}
}

func TestAnAnswerThatBreaksOffIsAnError(t *testing.T) {
	target, p := faulty(t)
	b := random(1, 1<<20)
	if err := put(target, t.Context(), "x", b); err != nil {
		t.Fatal(err)
	}
	p.Inject(1, gets, targettest.CutReply(1000))
	r, err := target.Open(t.Context(), "x", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	want(t, err, nil, "read s3://varve/p/x")
	if !bytes.Equal(got, b[:len(got)]) || len(got) > 1000 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestAServerWithoutRangesIsNotBelieved(t *testing.T) {
	target, p := faulty(t)
	p.Inject(1, gets, func(p *targettest.Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		io.WriteString(w, "all of it")
	})
	_, err := target.Open(t.Context(), "x", 4, 2)
	want(t, err, nil, "bytes=4-5")
}

// failingReader fails at an offset.
type failingReader struct {
	at  int64
	err error
}

func (r failingReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > r.at {
		return int(max(0, r.at-off)), r.err
	}
	return len(p), nil
}

func TestAReaderThatFailsIsToldFromAServerThatDoes(t *testing.T) {
	target, _ := faulty(t)
	broken := errors.New("the disk is broken")
	for _, at := range []int64{0, 1 << 20} {
		err := target.Put(t.Context(), "x", failingReader{at, broken}, 4<<20, [32]byte{1})
		want(t, err, broken, "read what is to be sent")
		err = target.Put(t.Context(), "x", failingReader{at, io.EOF}, 4<<20, [32]byte{1})
		want(t, err, io.ErrUnexpectedEOF, "read what is to be sent")
	}
	holds(t, target, "x", nil)
}

func TestListFailsWhereThePagesDo(t *testing.T) {
	for what, page := range map[string]string{
		"out of order": `<Contents><Key>p/b</Key></Contents><Contents><Key>p/a</Key></Contents>`,
		"twice":        `<Contents><Key>p/b</Key></Contents><Contents><Key>p/b</Key></Contents>`,
		"not after":    `<Contents><Key>p/a</Key></Contents>`,
		"another's":    `<Contents><Key>q/x</Key></Contents>`,
		"no next page": `<IsTruncated>true</IsTruncated><Contents><Key>p/b</Key></Contents>`,
		"cut short":    `<Contents><Key>p/b</Key></Conte`,
	} {
		target, p := faulty(t)
		p.Inject(-1, gets, func(p *targettest.Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
			io.WriteString(w, `<?xml version="1.0"?><ListBucketResult>`+page+`</ListBucketResult>`)
		})
		var last error
		n := 0
		for _, err := range target.List(t.Context(), "", "a") {
			last = err
			if n++; n > 5 {
				break
			}
		}
		if last == nil || n > 2 {
			t.Errorf("%s: %d yielded, error %v", what, n, last)
		}
	}
}

func TestAListThatIsCutShortUnsaidGoesOn(t *testing.T) {
	target, p := faulty(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := put(target, t.Context(), name, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.Inject(1, gets, func(p *targettest.Proxy, w http.ResponseWriter, r *http.Request, forward http.Handler) {
		io.WriteString(w, `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/b</Key></Contents></ListBucketResult>`)
	})
	var names []string
	for info, err := range target.List(t.Context(), "", "a") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	if !slices.Equal(names, []string{"b", "c", "d"}) {
		t.Errorf("%q", names)
	}
}

func TestAnUploadThatIsOverReadsNoMore(t *testing.T) {
	body := &source{r: io.NewSectionReader(bytes.NewReader(random(1, 100)), 0, 100)}
	if n, err := body.Read(make([]byte, 10)); n != 10 || err != nil {
		t.Fatal(n, err)
	}
	if err := body.stop(); err != nil {
		t.Fatal(err)
	}
	n, err := body.Read(make([]byte, 10))
	want(t, err, errStopped)
	if n != 0 {
		t.Errorf("%d bytes were read", n)
	}
}

func TestACallThatIsOverSaysSoHoweverItEnded(t *testing.T) {
	target, _ := faulty(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, target.fail(ctx, "put", "x", errors.New("connection reset")), context.Canceled, "canceled")
}
