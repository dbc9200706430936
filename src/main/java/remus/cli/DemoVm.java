package remus.cli;

/**
 * Which of the demo's VMs: its name on the hosts, and where the client finds it.
 *
 * @param name by which all hosts know it
 * @param address of its network card, beside those of {@link DemoTopology.Place}
 * @param mac of its network card
 * @param console name of the file of its console, without {@code .log}
 */
record DemoVm(String name, String address, String mac, String console) {
    /** The one VM of the demos that have one. */
    static final DemoVm SHOP = new DemoVm(DemoGuest.NAME, DemoGuest.ADDRESS, "52:54:00:12:34:56", "console");

    /** Their addresses are from 10.77.0.101 on. */
    private static final int FIRST_ADDRESS = 100;

    static final int MAX_NUMBER = 99;

    /** One of many; {@code number} is from 1 to {@link #MAX_NUMBER}. */
    static DemoVm numbered(int number) {
        if (number < 1 || number > MAX_NUMBER) {
            throw new IllegalArgumentException("there is no VM " + number);
        }
        String name = "vm" + number;
        return new DemoVm(name, "10.77.0." + (FIRST_ADDRESS + number), "52:54:00:4d:00:%02x".formatted(number), name);
    }
}
