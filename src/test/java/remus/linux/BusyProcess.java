package remus.linux;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.LockSupport;

/** A process to be traced: some of its threads compute, some sleep with a time limit, one answers each line it reads. */
final class BusyProcess {
    private static volatile long sum;

    private BusyProcess() {}

    public static void main(String[] arguments) throws IOException {
        Thread.ofPlatform().daemon().start(BusyProcess::compute);
        Thread.ofPlatform().daemon().start(BusyProcess::sleep);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        String line;
        while ((line = input.readLine()) != null) {
            System.out.println(line);
            System.out.flush();
        }
    }

    private static void compute() {
        while (true) {
            for (int i = 0; i < 1_000_000; i++) {
                sum = sum * 31 + i;
            }
        }
    }

    private static void sleep() {
        while (true) {
            LockSupport.parkNanos(3_000_000);
        }
    }
}
