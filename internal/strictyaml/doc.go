// Package strictyaml reads the YAML files that people edit: unknown keys,
// duplicate keys, wrong types and non-UTF-8 are refused, and every problem
// carries file, line and column together with what would be right.
//
// Who may import it: every internal package that reads such a file.
package strictyaml
