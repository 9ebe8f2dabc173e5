module github.com/varve-db/varve

go 1.26
