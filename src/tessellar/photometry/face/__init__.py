"""What BasePhotometry is made of: the star's stamp, its pixels and neighbours as the page of users names them."""
