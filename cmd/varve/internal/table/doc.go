// Package table prints tables that fit the terminal.
package table
