import { createTheme } from "@mantine/core";

/** What the library's parts have in common. Colours and sizes are in tokens.css. */
export const theme = createTheme({
  fontFamily: "var(--font)",
  primaryColor: "blue",
  defaultRadius: "sm",
  cursorType: "pointer",
  components: {
    Button: { defaultProps: { size: "compact-md", variant: "default" } },
    ActionIcon: { defaultProps: { variant: "subtle", color: "gray" } },
    // Locking the page's scrolling works by a style element, which the page's policy refuses.
    Modal: { defaultProps: { lockScroll: false, centered: true, padding: "lg", overlayProps: { backgroundOpacity: 0.3 }, transitionProps: { duration: 0 } } },
    Drawer: { defaultProps: { lockScroll: false, padding: "lg", overlayProps: { backgroundOpacity: 0.3 }, transitionProps: { duration: 120 } } },
    Menu: { defaultProps: { withinPortal: true, shadow: "md", transitionProps: { duration: 0 } } },
    Popover: { defaultProps: { shadow: "md", transitionProps: { duration: 0 } } },
    Tooltip: { defaultProps: { openDelay: 200, transitionProps: { duration: 0 }, multiline: true, maw: 360 } },
    Select: { defaultProps: { allowDeselect: false, checkIconPosition: "right" } },
  },
});
