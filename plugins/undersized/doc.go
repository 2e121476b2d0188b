// Package undersized is the detector of transformers that carry more than they
// were built for. It computes hot-spot temperature and ageing from hourly
// loading with the models of IEC 60076-7 (oil-immersed) and IEC 60076-12
// (dry-type) and gives the verdicts overloaded and undersized. It judges
// plant, never customers.
//
// It imports the plugin SDK and the standard library only.
package undersized
