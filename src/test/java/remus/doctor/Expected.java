package remus.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;

/** Compares findings word by word: people act on them. */
final class Expected {
    private Expected() {}

    static void ok(String check, String found, Finding finding) {
        assertEquals(new Finding(check, Verdict.OK, found, null), finding);
    }

    static void warning(String check, String found, String remedy, Finding finding) {
        assertEquals(new Finding(check, Verdict.WARNING, found, remedy), finding);
    }

    static void failure(String check, String found, String remedy, Finding finding) {
        assertEquals(new Finding(check, Verdict.FAILURE, found, remedy), finding);
    }
}
