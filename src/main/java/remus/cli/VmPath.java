package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLEncoder;

/** Paths of the API about one VM. */
final class VmPath {
    private VmPath() {}

    static String of(String vm) {
        return "/api/v1/vms/" + URLEncoder.encode(vm, UTF_8).replace("+", "%20");
    }

    static String verb(String vm, String verb) {
        return of(vm) + "/" + verb;
    }
}
