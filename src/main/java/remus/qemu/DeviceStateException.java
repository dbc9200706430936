package remus.qemu;

import org.jspecify.annotations.Nullable;
import remus.base.ErrorCategory;
import remus.base.RemusException;

/** The saved device state can't be read, or is not one. */
public final class DeviceStateException extends RemusException {
    private static final long serialVersionUID = 1L;

    public DeviceStateException(String message, @Nullable Throwable cause) {
        super(ErrorCategory.FATAL, message, cause);
    }
}
