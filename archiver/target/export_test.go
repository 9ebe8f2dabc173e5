package target

// What the tests of this package, which use a simulated target, have to know.
const (
	Silence      = silence
	Patience     = patience
	RetryingHead = retryingHead
)

var ErrTimeout = errTimeout
