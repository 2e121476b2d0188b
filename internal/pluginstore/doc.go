// Package pluginstore decides which third-party detectors may run, and keeps
// what ran.
//
// A plugin lies in a folder of its own with a manifest that names its files by
// SHA-256 and a signature over the manifest in minisign's format. It starts
// only where the signature is by a key of the configuration, the folder holds
// what the manifest says, and the lock file admits exactly that. What starts
// is never the file in the folder but a copy of the bytes that were checked,
// in a store that only the host writes, so that nothing can be exchanged
// between the check and the start. The store keeps every program by its
// SHA-256, so that a finding can be judged again by the program that made it.
//
// Everything that it reads from a plugin's folder is taken for hostile:
// manifests, signatures, keys, schemas, names and links.
//
// Who may import it: internal/host, internal/detect's replay and the program.
package pluginstore
