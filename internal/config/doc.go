// Package config reads the configuration file of the program: strict YAML,
// every problem with file, line and column, defaults filled in.
//
// It knows the shape of the file and what can be checked without the network;
// turning it into running parts is host's work. host and cmd import it.
package config
