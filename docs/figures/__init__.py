"""The figures of the site: short functions that compute with skda and return a matplotlib figure.

A page shows the figure of the function NAME, from any module of this package, by

    ```{picture} NAME
    :alt: What is to be seen, for those who cannot see it.

    The caption.
    ```
"""
