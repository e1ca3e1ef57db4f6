//! kill -9 of the built gateway before real InfluxDB servers: at every failpoint, and at random moments.

mod long_run;
