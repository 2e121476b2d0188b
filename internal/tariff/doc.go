// Package tariff bills energy under dated tables and says what a use billed
// under the wrong table is short of. Tables are data (configs/tariffs), money
// is exact decimal; no amount ever passes through a float.
//
// Which charge may lawfully be raised is not decided here: that is the policy
// pack's and dueprocess's. Anyone in internal may import tariff; it imports
// curve for dates, grid for categories and strictyaml.
package tariff
