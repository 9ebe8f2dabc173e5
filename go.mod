module github.com/varve-db/varve

go 1.26.0

require (
	github.com/google/btree v1.1.3 // indirect
	golang.org/x/sys v0.49.0
	pgregory.net/rapid v1.3.0 // indirect
)
