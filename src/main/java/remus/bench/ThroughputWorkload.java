package remus.bench;

/** How clients use the guest of the throughput bench. */
public enum ThroughputWorkload {
    /** One TCP connection, as much as goes, into the guest. */
    IPERF_TO_GUEST("iperf3-to-guest"),
    /** The same out of it. */
    IPERF_FROM_GUEST("iperf3-from-guest"),
    /** redis-benchmark: SET and then GET of random keys over {@link #CLIENTS} connections. */
    REDIS("redis-50");

    /** Connections of redis-benchmark. */
    public static final int CLIENTS = 50;

    private final String key;

    ThroughputWorkload(String key) {
        this.key = key;
    }

    /** Its name in reports. */
    public String key() {
        return key;
    }

    /** @throws IllegalArgumentException naming the text and the choices */
    public static ThroughputWorkload parse(String text) {
        for (ThroughputWorkload workload : values()) {
            if (workload.key.equals(text)) {
                return workload;
            }
        }
        throw new IllegalArgumentException("'" + text + "' is none of iperf3-to-guest, iperf3-from-guest and redis-50");
    }
}
