"""The page's icon."""

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#1d4f91"/>'
    '<circle cx="21" cy="15" r="4" fill="#f2c14e"/><path d="M21 15C12 13 9 8 7 6M21 15C13 17 9 21 7 26M21 15c-5 0-9 1-17 1" '
    'stroke="#fff" stroke-width="1.6" fill="none"/></svg>'
)
