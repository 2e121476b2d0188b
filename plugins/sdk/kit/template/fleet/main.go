// Command example_fleet is a plugin of Gridwarden: the host starts it, feeds it and ends it.
package main

import "github.com/gridwarden/gridwarden/plugins/sdk"

func main() { sdk.Serve(NewDetector()) }
